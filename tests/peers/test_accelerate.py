"""lrsched.LRScheduler under Accelerate: every update trains with its row, with accumulation and after a resume."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched.horizon import Horizon
from lrsched.schedules import Cosine, OneCycle, Schedule

accelerate = partial(pytest.importorskip, "accelerate", reason="needs accelerate: pip install 'hydra-lrsched[peers]'")

SAMPLES, BATCH, EPOCHS = 28, 4, 3
RATE = 0.1


class Run:
    """A line fitted to noise in Accelerate's own loop; notes the values that each update uses."""

    def __init__(self, schedule: Schedule, horizon: Horizon, accumulate: int = 1) -> None:
        self.accelerator = accelerate().Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
        optimizer.register_step_pre_hook(
            lambda o, *_: self.used.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        )
        scheduler = lrsched.LRScheduler(optimizer, schedule, horizon)
        batches = DataLoader(TensorDataset(torch.ones(SAMPLES, 2)), batch_size=BATCH)
        self.model, self.optimizer, self.batches, self.scheduler = self.accelerator.prepare(
            model, optimizer, batches, scheduler
        )
        self.used: list[tuple[float, float]] = []

    def epochs(self, count: int) -> None:
        for _ in range(count):
            for (x,) in self.batches:
                with self.accelerator.accumulate(self.model):
                    self.accelerator.backward(self.model(x).square().mean())
                    self.optimizer.step()
                    self.scheduler.step()
                    self.optimizer.zero_grad()


def rows(schedule: Schedule, horizon: Horizon) -> list[tuple[float, float]]:
    table = schedule.table(horizon, RATE)
    momentum: Any = table["momentum"].tolist() if "momentum" in table else [0.9] * horizon.steps
    return list(zip(table["lr"].tolist(), momentum, strict=True))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("schedule", [Cosine(warmup="2st"), OneCycle()], ids=["cosine", "onecycle"])
def test_every_update_trains_with_its_row(schedule: Schedule, accumulate: int) -> None:
    steps = -(-SAMPLES // BATCH // accumulate)  # Accelerate also updates at the end of an epoch: 7 batches by 3 are 3
    horizon = Horizon(EPOCHS * steps, steps)
    run = Run(schedule, horizon, accumulate)
    run.epochs(EPOCHS)
    assert run.used == rows(schedule, horizon)
    assert run.scheduler.get_last_lr() == [rows(schedule, horizon)[-1][0]]


def test_a_run_that_is_resumed_goes_on_with_the_next_row(tmp_path: Path) -> None:
    schedule, horizon = OneCycle(), Horizon(EPOCHS * 7, 7)
    first = Run(schedule, horizon)
    first.epochs(1)
    first.accelerator.save_state(tmp_path / "state")

    second = Run(schedule, horizon)
    second.accelerator.load_state(tmp_path / "state")
    second.epochs(EPOCHS - 1)
    assert first.used + second.used == rows(schedule, horizon)
