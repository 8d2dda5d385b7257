"""The same course on 1, 2 and 4 processes: for every task, every kind of scheduler, data in memory and items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.ranks import on_ranks
from tests.helpers.runs import composed, set_config

if TYPE_CHECKING:
    from lrsched.ranks.world import World

DIGITS = ("model.hidden=[16]", "trainer.epochs=2", "optimizer=sgd")
ITEMS = (
    "dataset=torch",
    "dataset.train={_target_: tests.helpers.items.Draws}",
    "model=linear",
    "trainer.epochs=3",
    "dataset.batch_size=16",
    "optimizer=sgd",
)

TASKS: Mapping[str, Sequence[str]] = {
    "classification": DIGITS,
    "regression": ("dataset=diabetes", "task=regression", "trainer.epochs=2", "model.hidden=[16]"),
    "binary": ("dataset=cancer", "task=binary", "trainer.epochs=2", "model.hidden=[16]"),
    "language_model": (
        "dataset=python_source",
        "dataset.megabytes=0.03",
        "dataset.context=16",
        "model=gpt",
        "model.layers=1",
        "model.width=16",
        "task=language_model",
        "dataset.batch_size=6",
        "trainer.steps=12",
    ),
    "torch/CLASS": (*DIGITS, "task=torch/MultiMarginLoss"),
    "weighted classes": (*DIGITS, "task.class_weights=[1,1,1,2.5,1,1,0.3,1,1,1]"),
    "mixup": (*DIGITS, "dataset.augment.mixup=0.2", "dataset.augment.shift=0.1"),
    "segmentation": (
        "dataset=torch",
        "dataset.train={_target_: tests.helpers.items.Photos, masks: true}",
        "task=segmentation",
        "model=unet",
        "model.width=4",
        "dataset.batch_size=10",
        "trainer.epochs=2",
    ),
    "items": ITEMS,
    "items, workers": (*ITEMS, "dataset.workers=2"),
}
SCHEDULERS = (
    "cosine",
    "wsd",
    "plateau",
    "greedy",
    "onecycle",
    "torch/StepLR",
    "torch/ReduceLROnPlateau",
    "torch/OneCycleLR",
)


def rows(world: World, config: bytes) -> list[dict[str, Any]]:
    """All rows of a run, as this process would write them."""
    import os

    import torch

    from lrsched.assembly.parts import assemble
    from lrsched.compose.nodes import plain
    from lrsched.config.settings import settings
    from lrsched.runs.result import evaluated
    from lrsched.runs.together.silent import SilentJournal, SilentStore
    from lrsched.runs.together.trainer import Outlets, trainer_of
    from lrsched.signals import StopFlag

    class Kept(SilentJournal):
        def row(self, row: Mapping[str, Any]) -> None:
            found.append(dict(row))

    found: list[dict[str, Any]] = []
    os.environ["LRSCHED_TRUST"] = "tests"
    parts = assemble(settings(plain(set_config(config))), torch.device("cpu"), world=world)
    stop = StopFlag()
    outlets = Outlets(store=SilentStore(), journal=Kept(), tell=lambda message: None)
    outcome = trainer_of(parts, outlets, stop, on_nonfinite="stop", about={}).run()
    parts.loader.close()
    return [*found, {"step": -1, "ended": outcome.reason, **evaluated(parts, parts.test, "test", stop)}]


def courses(place: Path, sizes: Sequence[int], *overrides: str) -> list[list[dict[str, Any]]]:
    """The rows of a run on so many processes; all of them would write the same."""
    work = partial(rows, config=composed(*overrides, "trainer.log_every=1st", "threads=1"))
    found = []
    for size in sizes:
        each = on_ranks(place / str(size), size, work)
        assert all(other == each[0] for other in each)
        found.append(each[0])
    return found


def alike(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> None:
    """The same rows: steps, epochs and rates to the last bit, what is computed up to rounding."""
    assert [list(row) for row in one] == [list(row) for row in other]
    for mine, theirs in zip(one, other, strict=True):
        for name, value in mine.items():
            if name.startswith(("train/", "val/", "test/", "grad_norm")):
                assert math.isclose(theirs[name], value, rel_tol=2e-4, abs_tol=2e-5), (mine["step"], name)
            else:
                assert theirs[name] == value, (mine["step"], name)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_task(task: str, tmp_path: Path) -> None:
    one, two, four = courses(tmp_path, (1, 2, 4), *TASKS[task], "scheduler=cosine")
    alike(one, two)
    alike(one, four)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("data", [DIGITS, ITEMS], ids=["memory", "items"])
def test_every_kind_of_scheduler(scheduler: str, data: Sequence[str], tmp_path: Path) -> None:
    one, two, four = courses(tmp_path, (1, 2, 4), *data, f"scheduler={scheduler}")
    alike(one, two)
    alike(one, four)


@pytest.mark.slow
def test_an_early_stop_is_one_decision(tmp_path: Path) -> None:
    words = (
        *DIGITS,
        "trainer.epochs=20",
        "trainer.early_stop.patience=1",
        "trainer.evaluate_every=2st",
        "optimizer.lr=1.5",
    )
    one, four = courses(tmp_path, (1, 4), *words, "trainer.lanes=4")
    assert one == four  # to the last bit
    assert "early stop" in one[-1]["ended"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("average=ema",),
        ("average=swa", "model=cnn", "model.channels=[4,8]", "model.hidden=16"),
        ("trainer.precision=bf16",),
        ("optimizer=adamw", "trainer.clip_norm=0.1"),
        ("dataset.augment.mixup=0.2",),
        ("trainer.accumulate=3", "dataset.batch_size=40"),
    ],
    ids=lambda words: words[0],
)
def test_lanes_are_exact_with(words: Sequence[str], tmp_path: Path) -> None:
    one, two, four = courses(tmp_path, (1, 2, 4), "trainer.epochs=2", "trainer.lanes=4", *words)
    assert one == two == four
