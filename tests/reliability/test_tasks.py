"""A run of any task under any kind of scheduler, stopped and killed, is the run that was never disturbed."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import pytest

from tests.helpers.compare_runs import differences
from tests.helpers.faults import trust
from tests.helpers.problems import PROBLEMS
from tests.helpers.runs import Running, folder
from tests.reliability.test_pairs import cut

KINDS = {
    "open loop": ("scheduler=cosine", "scheduler.warmup=2st"),
    "closed loop": (
        "scheduler=plateau",
        "scheduler.patience=0",
        "scheduler.threshold=0.01",
        "scheduler.backtrack=true",
    ),
    "handover": (
        "scheduler=sequence",
        "scheduler.parts=[{length: 4st, schedule: {_target_: lrsched.schedules.Linear}}, {length: rest, schedule: "
        "{_target_: lrsched.schedulers.Plateau, patience: 0}}]",
    ),
    "native": ("scheduler=torch/CosineAnnealingLR", "scheduler.interval=step"),
    "native that observes": ("scheduler=torch/ReduceLROnPlateau", "scheduler.patience=0"),
}
ACCUMULATION = {1: (), 4: ("dataset.batch_size=4", "trainer.accumulate=4")}
TRUST = partial(trust, "tests.helpers.problems:tests.helpers.own_problem")
QUICK = [
    ("language model", "native that observes", 4),
    ("own", "handover", 1),
]


def disturbed(place: Path, problem: str, kind: str, accumulate: int) -> list[str]:
    """What differs between a run and the same run that was killed after a save and stopped by a signal."""
    overrides = (
        *("~dataset", "~model", "name=run", "trainer.progress=false", "threads=1", "logger=[csv]", "trainer.epochs=3"),
        *("trainer.log_every=1st", "trainer.evaluate_every=2st", "checkpoint.every=5st", "optimizer=adamw"),
        *PROBLEMS[problem],
        *KINDS[kind],
        *ACCUMULATION[accumulate],
    )
    whole = Running(place / "whole", overrides, [TRUST])
    cut(place / "cut", overrides, [5, 9], first_way=1, beside=[TRUST])
    ended = whole.end()
    assert ended.code == 0, ended.said
    return differences(folder(place / "whole"), folder(place / "cut"))


@pytest.mark.parametrize(("problem", "kind", "accumulate"), QUICK)
def test_some(tmp_path: Path, problem: str, kind: str, accumulate: int) -> None:
    assert disturbed(tmp_path, problem, kind, accumulate) == []


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "kind", "accumulate"), list(product(PROBLEMS, KINDS, ACCUMULATION)))
def test_all(tmp_path: Path, problem: str, kind: str, accumulate: int) -> None:
    assert disturbed(tmp_path, problem, kind, accumulate) == []
