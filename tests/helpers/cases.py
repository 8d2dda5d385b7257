"""Small runs with every kind of state, to be disturbed by the tests."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from lrsched.compose.choices import choices_in
from tests.helpers.cli import TINY

ROOT = Path(__file__).resolve().parents[2]
STEPS, EPOCH = 18, 6  # updates in a run and in one of its epochs
SAVE = 5  # steps between two saves

# Batch norm has buffers, dropout and augmentation draw numbers.
CNN = (
    "model=cnn",
    "model.channels=[4,4]",
    "model.hidden=8",
    "model.dropout=0.2",
    "dataset.augment={crop: 1, flip: true}",
)
# Evaluations come often enough for closed loops.
OPTIONS = (
    *TINY,
    "name=run",
    *CNN,
    "trainer.epochs=3",
    "trainer.log_every=1st",
    "trainer.evaluate_every=2st",
    f"checkpoint.every={SAVE}st",
    "logger=[csv]",
    "optimizer.momentum=0.9",
)
ACCUMULATION = {1: (), 2: ("dataset.batch_size=8", "trainer.accumulate=2")}  # the same updates, in one part or two

# What a scheduler needs besides its defaults: to fit into a short run, and to have something to do there.
NEEDS = {
    "greedy": ("scheduler.window=3",),
    "noam": ("scheduler.warmup=2st",),
    "plateau": ("scheduler.patience=0", "scheduler.threshold=0.01", "scheduler.backtrack=true"),
    "power": ("scheduler.warmup=2st",),
    "table": (f"scheduler.path={ROOT / 'tests' / 'schedules' / 'values.csv'}",),
    "torch/ConstantLR": ("scheduler.total_iters=2",),
    "torch/CosineAnnealingWarmRestarts": ("scheduler.T_mult=2",),
    "torch/CyclicLR": ("scheduler.step_size_up=5",),
    "torch/LinearLR": ("scheduler.start_factor=1.0", "scheduler.end_factor=0.0"),
    "torch/MultiStepLR": ("scheduler.milestones=[1,2]",),
    "torch/ReduceLROnPlateau": ("scheduler.patience=0", "scheduler.threshold=0.01"),
    "torch/SWALR": ("scheduler.anneal_epochs=2",),
    "torch/StepLR": ("scheduler.step_size=1",),
}


def every_scheduler() -> list[str]:
    """The names of all choices in conf/scheduler."""
    conf = ROOT / "conf" / "scheduler"
    found = sorted(choices_in(conf))
    assert len(found) > 40
    return found


def command(scheduler: str, accumulate: int = 1) -> tuple[str, ...]:
    """The command line of a run with this scheduler."""
    return (*OPTIONS, *ACCUMULATION[accumulate], f"scheduler={scheduler}", *NEEDS.get(scheduler, ()))


def rest_slow(names: Iterable[str], quick: Collection[str]) -> list[Any]:
    """A table's cases in their order; those that are not among the quick ones belong to the long tier."""
    cases = list(names)
    assert set(quick) <= set(cases)
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in cases]
