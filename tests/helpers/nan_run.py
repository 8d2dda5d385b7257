"""A small run with a number that is not finite at a chosen place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lrsched.checkpoint.store import Store
from lrsched.data.batch import column
from lrsched.data.loader import InOrder, Loader
from lrsched.data.transform import Standardise
from lrsched.horizon import Horizon
from lrsched.loggers.base import RunInfo
from lrsched.loggers.csv import CSV
from lrsched.records import RunFolder
from lrsched.schedulers import Table
from lrsched.schedules import Constant
from lrsched.signals import StopFlag
from lrsched.tasks import Classification
from lrsched.train.evaluate import evaluate
from lrsched.train.journal import Journal
from lrsched.train.loop import Trainer
from lrsched.train.precision import Precision
from lrsched.train.recovery import Recovery
from lrsched.train.state import RunState, weights_sha256
from lrsched.train.timetable import Timetable
from lrsched.train.tracker import Tracker, Window
from lrsched.train.update import Update
from tests.helpers.marked_data import MarkedModel

STEPS, PER_EPOCH, EVERY = 9, 32, 3  # one epoch: a marked sample is met once
PLACES = {"first": 0, "middle": 4, "last": STEPS - 1}
CPU = torch.device("cpu")


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """128 training and 8 validation samples, none of them marked."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 255, (136, 1, 4, 4), dtype=torch.uint8, generator=draw)
    return x, torch.randint(0, 3, (136,), generator=draw)


class Clock(nn.Module):
    """Counts the updates in a buffer, so that the evaluation can fail at a chosen step."""

    def __init__(self, inner: nn.Module, at: int | None) -> None:
        super().__init__()
        self.inner, self._at = inner, at
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.updates += 1
        out = self.inner(x)
        return out if self.training or self._at is None or self.updates >= self._at else out.nan_to_num(0.0, 0.0, 0.0)


class Run:
    """A run of the trainer in a folder, from the start or from its newest checkpoint."""

    def __init__(
        self,
        path: Path,
        policy: str,
        *,
        ill: str = "loss",
        value: str = "nan",
        bad: tuple[int, ...] = (),
        metric_at: int | None = None,
        steps: int = STEPS,
        dropout: float = 0.5,
        skip_in_loader: int | None = None,
        wait: bool | None = None,
    ) -> None:
        path.mkdir(exist_ok=True)
        x, y = data()
        standardise = Standardise(torch.tensor([127.0]), torch.tensor([64.0]), CPU)
        self.loader = Loader((x[:128], y[:128]), standardise, batch_size=4)
        for batch in bad:
            column(self.loader._data, 0)[self.loader.sample_numbers(batch)[3], 0, 0, 0] = 255
        if skip_in_loader is not None:
            original, left = self.loader.batch, skip_in_loader
            self.loader.batch = lambda n: original(n + (n >= left))  # type: ignore[method-assign]
        if metric_at is not None:
            x[131, 0, 0, 0] = 255
        validation = InOrder((x[128:], y[128:]), standardise, batch_size=8)
        torch.manual_seed(0)
        model = Clock(MarkedModel((1, 4, 4), 3, ill, value, dropout=dropout), metric_at)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        horizon, arithmetic = Horizon(steps, PER_EPOCH), Precision("fp32", CPU)
        self.state = RunState(
            model,
            optimizer,
            Table(optimizer, Constant(), horizon),
            None,
            Tracker("val/loss"),
            Tracker("val/loss"),
            Window(torch.zeros((), dtype=torch.float64)),
            self.loader.clock,
        )
        self.folder, self.said = RunFolder(path), []
        self.store = Store(self.folder.checkpoints)
        resumed = bool(self.store.committed())
        if resumed:
            self.state.load_state_dict(self.store.newest()[1])
        at = self.state.step if resumed else None
        info, logger = RunInfo(path, {}, steps, PER_EPOCH, 4, at), CSV()
        logger.open(info)
        self.journal = Journal(self.folder, [logger], self.state.metrics_bytes, at, info)
        self.update = Update(
            self.loader, Classification(), arithmetic, seed=0, device=CPU, skip=policy == "skip", wait=wait
        )
        self.trainer = Trainer(
            state=self.state,
            update=self.update,
            evaluate=lambda: evaluate(model, validation, Classification(), arithmetic, "val"),
            horizon=horizon,
            timetable=Timetable(log=1, evaluate=1, save=EVERY, keep=1),
            store=self.store,
            journal=self.journal,
            about={},
            stop=StopFlag(),
            recovery=Recovery(policy, EVERY, self.store, self.journal, self.said.append),
        )

    def __call__(self) -> Run:
        try:
            self.trainer.run()
        finally:
            self.journal.close({}, "finished")
        return self

    def until(self, stop: Callable[[RunState], bool]) -> Run:
        """Kill the run after the first update for which ``stop`` is true; it writes nothing more."""
        original = self.update.__call__

        class Killed(BaseException):
            pass

        def update(state: RunState, want_norm: bool = False) -> float | None:
            norm = original(state, want_norm)
            if stop(state):
                raise Killed
            return norm

        update.check = self.update.check
        self.trainer.update = update  # type: ignore[assignment]
        with pytest.raises(Killed):
            self()
        return self

    @property
    def sha256(self) -> str:
        return weights_sha256(self.state.model)

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.folder.metrics.read_text("utf-8").splitlines()]


def same(one: Run, other: Run) -> None:
    assert one.sha256 == other.sha256
    assert one.folder.metrics.read_bytes() == other.folder.metrics.read_bytes()
    csv = [(run.folder.path / "metrics.csv").read_text("utf-8").splitlines() for run in (one, other)]
    assert len(csv[0]) == len(csv[1])
