"""A run that is stopped or killed, and resumed, is the run that was never disturbed: every scheduler, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from tests.helpers.cases import EPOCH, STEPS, command, every_scheduler
from tests.helpers.compare_runs import differences
from tests.helpers.faults import stop_and_kill, stop_at
from tests.helpers.runs import KILLED, Fault, Running, folder, resume, run
from tests.loggers.test_tensorboard import read

# Where a run is cut once, or twice: in one and the same epoch wherever two steps at rest lie in it.
POINTS = {
    "first": (1, 3),
    "middle": (9, 10),
    "last batch": (11, 8),
    "epoch edge": (12, 14),
    "after the edge": (13, 16),
}
WAYS = {stop_at: 143, stop_and_kill: KILLED}
SCHEDULERS = every_scheduler()


def cut(place: Path, options: tuple[str, ...], steps: list[int], first_way: int, beside: Sequence[Fault] = ()) -> None:
    """Run to the end, cut at each of these steps, by turns by a signal and by a kill right after a save."""
    for number, step in enumerate(steps):
        way, code = list(WAYS.items())[(first_way + number) % 2]
        ended = run(place, *(options if number == 0 else ("resume=outputs/run",)), faults=[*beside, partial(way, step)])
        assert ended.code == code, ended.said
    ended = resume(place, faults=beside)
    assert ended.code == 0, ended.said


def places(point: str, times: int) -> list[int]:
    return sorted(POINTS[point][:times])


def test_the_points_are_what_they_are_called() -> None:
    assert POINTS["first"][0] == 1
    assert POINTS["middle"][0] % EPOCH == EPOCH // 2
    assert POINTS["last batch"][0] % EPOCH == EPOCH - 1
    assert POINTS["epoch edge"][0] % EPOCH == 0
    assert POINTS["after the edge"][0] % EPOCH == 1
    for point in POINTS:
        first, second = places(point, 2)
        assert first // EPOCH == second // EPOCH
        assert second < STEPS


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_once(tmp_path: Path, scheduler: str) -> None:
    """Points, accumulation, number of cuts and way of dying rotate, so that all of them have their turn."""
    turn = SCHEDULERS.index(scheduler)
    options = command(scheduler, accumulate=1 + turn % 2)
    whole = Running(tmp_path / "whole", options)
    cut(tmp_path / "cut", options, places(list(POINTS)[turn % 5], times=1 + turn // 2 % 2), first_way=turn // 4)
    ended = whole.end()
    assert ended.code == 0, ended.said
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "cut")) == []


@pytest.mark.parametrize("step", [EPOCH, STEPS])
def test_an_evaluation_that_a_signal_cut_short_is_made_on_resume(tmp_path: Path, step: int) -> None:
    """Its checkpoint was saved without it, so that it is saved once more."""
    options = (*command("plateau"), f"checkpoint.every={EPOCH}st")
    whole = Running(tmp_path / "whole", options)
    cut(tmp_path / "cut", options, [step], first_way=0)
    assert whole.end().code == 0
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "cut")) == []


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_at_every_point(tmp_path: Path, scheduler: str, accumulate: int) -> None:
    options = command(scheduler, accumulate)
    ended = run(tmp_path / "whole", *options)
    assert ended.code == 0, ended.said
    for number, (point, times) in enumerate(product(POINTS, (1, 2))):
        place = tmp_path / f"cut-{number}"
        cut(place, options, places(point, times), first_way=number // 2 + accumulate)
        assert differences(folder(tmp_path / "whole"), folder(place)) == [], f"cut at {places(point, times)}"


def test_tensorboard_shows_each_point_once(tmp_path: Path) -> None:
    options = (*command("cosine"), "logger=[csv,tensorboard]")
    whole = Running(tmp_path / "whole", options)
    cut(tmp_path / "cut", options, [9, 12], first_way=1)
    assert whole.end().code == 0
    shown = read(folder(tmp_path / "cut").path)
    assert shown == read(folder(tmp_path / "whole").path)
    assert [step for step, _ in shown["train/loss"]] == list(range(STEPS))
