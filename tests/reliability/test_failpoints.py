"""A run that dies at a named point, before or after its n-th hit, ends like one that did not."""

from __future__ import annotations

import shutil
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from tests.helpers.cases import command
from tests.helpers.compare_runs import differences
from tests.helpers.death_log import check_debts, lives
from tests.helpers.failpoints import DIED, ONCE, POINTS, die
from tests.helpers.faults import log_steps
from tests.helpers.runs import folder, resume, run

INTERVAL = 2
HITS = (1, 2, 5)
DEATHS = [*product(POINTS, ("before", "after")), ("write", "half")]


def options(scheduler: str) -> tuple[str, ...]:
    return (*command(scheduler, accumulate=2), f"checkpoint.every={INTERVAL}st")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed runs: a folder for each scheduler."""
    place = tmp_path_factory.mktemp("whole")
    for scheduler in ("plateau", "torch/OneCycleLR"):
        ended = run(place / scheduler, *options(scheduler))
        assert ended.code == 0, ended.said
    return place


def die_and_go_on(place: Path, scheduler: str, point: str, when: str, hit: int) -> None:
    """Start, die there, resume; start again where the death came before the first checkpoint."""
    witness = partial(log_steps, str(place / "witness"))
    ended = run(place, *options(scheduler), faults=[witness, partial(die, point, when, hit)])
    assert ended.code == DIED, f"it never came by: {ended.said}"
    acknowledged = any(life.saved is not None for life in lives(place / "witness"))
    ended = resume(place, faults=[witness])
    if ended.code != 0:
        assert not acknowledged, "an acknowledged checkpoint is lost"
        begun = folder(place).holds_a_run()
        assert ended.code == (4 if begun else 2), ended.said
        if begun:  # else the same command will do, whatever lies there
            shutil.rmtree(place)
        ended = run(place, *options(scheduler), faults=[witness])
    assert ended.code == 0, ended.said
    check_debts(lives(place / "witness"), INTERVAL)
    assert not list(folder(place).path.rglob("*.tmp"))


@pytest.mark.parametrize(("number", "death"), list(enumerate(DEATHS)), ids=[" ".join(death[::-1]) for death in DEATHS])
def test_dies_once_at_every_point(tmp_path: Path, whole: Path, number: int, death: tuple[str, str]) -> None:
    point, when = death
    hit = 1 if point in ONCE else HITS[number // 2 % 3]
    die_and_go_on(tmp_path / "run", "plateau", point, when, hit)
    assert differences(folder(whole / "plateau"), folder(tmp_path / "run")) == []


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["plateau", "torch/OneCycleLR"])
@pytest.mark.parametrize("hit", HITS)
@pytest.mark.parametrize("death", DEATHS, ids=[" ".join(death[::-1]) for death in DEATHS])
def test_dies_at_every_point(tmp_path: Path, whole: Path, death: tuple[str, str], hit: int, scheduler: str) -> None:
    point, when = death
    if point in ONCE and hit > 1:
        return
    die_and_go_on(tmp_path / "run", scheduler, point, when, hit)
    assert differences(folder(whole / scheduler), folder(tmp_path / "run")) == []


def test_there_are_points_enough() -> None:
    assert len(DEATHS) >= 24
