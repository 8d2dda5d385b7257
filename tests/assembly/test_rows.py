"""The rows of a run show the value that each step used: ours from the table, PyTorch's as a bare loop has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from lrsched.horizon import Horizon
from tests.helpers.cli import TINY

CONF = Path(__file__).resolve().parents[2] / "conf" / "scheduler"
STEPS, STEPS_PER_EPOCH, LR = 24, 6, 0.1
RUN = (*TINY, "trainer.epochs=4", "trainer.log_every=1st", f"optimizer.lr={LR}", "name=run")

Build = Callable[[torch.optim.Optimizer, int], Any]

# What conf/scheduler/torch/*.yaml say, in Python; n is the run's length in the scheduler's own interval.
NATIVE: dict[str, Build] = {
    "StepLR": lambda o, n: lr_scheduler.StepLR(o, 10, 0.1),
    "MultiStepLR": lambda o, n: lr_scheduler.MultiStepLR(o, [15, 23], 0.1),
    "ConstantLR": lambda o, n: lr_scheduler.ConstantLR(o, 1 / 3, 3),
    "LinearLR": lambda o, n: lr_scheduler.LinearLR(o, 1.0, 0.0, n),
    "ExponentialLR": lambda o, n: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o, n: lr_scheduler.PolynomialLR(o, n, 1.0),
    "CosineAnnealingLR": lambda o, n: lr_scheduler.CosineAnnealingLR(o, n, 0.0),
    "CosineAnnealingWarmRestarts": lambda o, n: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2),
    "CyclicLR": lambda o, n: lr_scheduler.CyclicLR(o, 0.01, LR, 46),
    "OneCycleLR": lambda o, n: lr_scheduler.OneCycleLR(o, LR, total_steps=n),
    "MultiplicativeLR": lambda o, n: lr_scheduler.MultiplicativeLR(o, lambda t: 0.95),
    "LambdaLR": lambda o, n: lr_scheduler.LambdaLR(o, lambda t: 0.95**t),
    "SequentialLR": lambda o, n: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 3), lr_scheduler.CosineAnnealingLR(o, n - 3)], [3]
    ),
    "ChainedScheduler": lambda o, n: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.1, 2), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "SWALR": lambda o, n: SWALR(o, 0.05, 10),
}


def two_groups() -> torch.optim.Optimizer:
    weight, bias = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    return torch.optim.SGD([{"params": [weight]}, {"params": [bias]}], lr=LR, momentum=0.9, nesterov=True)


def update(o: torch.optim.Optimizer) -> None:
    for group in o.param_groups:
        group["params"][0].grad = torch.ones(1)
    o.step()


def values(o: torch.optim.Optimizer, moves: tuple[str, ...]) -> list[float]:
    return [group[name] for name in moves for group in o.param_groups]


def bare_loop(build: Build, interval: str, moves: tuple[str, ...]) -> list[list[float]]:
    o = two_groups()
    scheduler = build(o, STEPS if interval == "step" else STEPS // STEPS_PER_EPOCH)
    used = []
    for s in range(STEPS):
        used.append(values(o, moves))
        update(o)
        if interval == "step" or (s + 1) % STEPS_PER_EPOCH == 0:
            scheduler.step()
    return used


def used(ended: Any, moves: tuple[str, ...]) -> list[list[float]]:
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    assert [row["step"] for row in rows] == list(range(STEPS))
    return [[row[f"{name}/{group}"] for name in moves for group in ("default", "no_decay")] for row in rows]


GIVEN = {
    "ConstantLR": ("scheduler.total_iters=3",),
    "LinearLR": ("scheduler.start_factor=1.0", "scheduler.end_factor=0.0"),
    "CosineAnnealingWarmRestarts": ("scheduler.T_mult=2",),
    "CyclicLR": ("scheduler.step_size_up=46",),
}
"""Values with which these do more in a short run than with PyTorch's defaults."""


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("name", NATIVE)
def test_native_ones_equal_a_bare_pytorch_loop_to_the_last_bit(run_cli, name: str, interval: str) -> None:
    moves = ("lr", "momentum") if name in ("OneCycleLR", "CyclicLR") else ("lr",)
    ended = run_cli(*RUN, f"scheduler=torch/{name}", f"scheduler.interval={interval}", *GIVEN.get(name, ()))
    assert used(ended, moves) == bare_loop(NATIVE[name], interval, moves)


@pytest.mark.parametrize("interval", ["epoch", "evaluation"])
def test_pytorchs_plateau_equals_a_bare_loop_fed_with_the_same_losses(run_cli, interval: str) -> None:
    ended = run_cli(*RUN, "scheduler=torch/ReduceLROnPlateau", "scheduler.patience=0", "scheduler.threshold=0.2",
                    f"scheduler.interval={interval}")  # fmt: skip
    losses = [row["val/loss"] for row in ended.rows() if "val/loss" in row]
    o = two_groups()
    scheduler = lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.2)
    expected = []
    for loss in losses:
        expected += [values(o, ("lr",))] * STEPS_PER_EPOCH
        scheduler.step(loss)
    assert used(ended, ("lr",)) == expected
    assert expected[0] != expected[-1]  # it was cut


def test_all_of_pytorchs_classes_are_above() -> None:
    assert {path.stem for path in (CONF / "torch").glob("*.yaml")} == {*NATIVE, "ReduceLROnPlateau"}


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "step", "wsd", "onecycle", "cyclic", "exponential"])
def test_ours_show_row_s_of_the_table_at_step_s(run_cli, name: str) -> None:
    import lrsched.schedules as shelf

    shared, own = (yaml.safe_load((CONF / f"{file}.yaml").read_text("utf-8")) for file in ("_schedule", name))
    node = {**shared, **own}
    del node["defaults"]
    schedule = getattr(shelf, node.pop("_target_").rpartition(".")[2])(**node | {"warmup": "2st"})
    table = schedule.table(Horizon(STEPS, STEPS_PER_EPOCH, 16), LR)
    moves = tuple(table)
    expected = [[float(table[column][s]) for column in moves for _ in range(2)] for s in range(STEPS)]
    assert used(run_cli(*RUN, f"scheduler={name}", "scheduler.warmup=2st"), moves) == expected
