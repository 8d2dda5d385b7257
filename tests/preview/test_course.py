"""Peak, area and restarts against sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lrsched.horizon import Horizon
from lrsched.preview.course import Course, restarts, spans
from lrsched.schedules import SGDR, WSD, Constant, Cosine, Linear, OneCycle, Schedule


def course(schedule: Schedule, steps: int, base: float) -> Course:
    horizon = Horizon(steps)
    columns = {f"{name}/default": values for name, values in schedule.table(horizon, base).items()}
    return Course("test", horizon, base, columns, spans(schedule.plan(horizon, base)))


def test_the_area_of_a_straight_line() -> None:
    line = course(Linear(), 4, 0.5)  # 0.5·(1 + ¾ + ½ + ¼)
    assert line.area == 1.25
    assert line.share == 0.625


def test_the_area_of_a_constant_rate_is_all_of_it() -> None:
    assert course(Constant(), 10, 0.5).share == 1.0
    assert course(Constant(), 10, 0.0).share == 0.0


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(), 0),
        (Cosine(warmup="10st"), 0),  # up and down is no restart
        (OneCycle(), 0),
        (WSD(warmup="10st"), 0),
        (SGDR(first="25st"), 3),
        (SGDR(first="25st", cycle_warmup="5st"), 3),
    ],
    ids=repr,
)
def test_restarts_are_rises_after_a_fall(schedule: Schedule, expected: int) -> None:
    assert course(schedule, 100, 0.1).restarts == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0], 0),
        ([1, 0.5, 0.5, 0.5, 1, 1, 0.5, 0.6], 2),
        ([0.1, 0.1 - 1e-17, 0.1 + 1e-17], 0),
        ([0.5, 1.0, 0.5 + 1e-14, 0.5, 0.5 + 1e-14], 0),  # rounding is no rise
        ([0.0, 0.0], 0),
    ],
)
def test_flat_parts_and_rounding_are_no_restart(values: list[float], expected: int) -> None:
    assert restarts(np.array(values)) == expected


def test_the_phases_tile_the_run() -> None:
    found = spans(WSD(warmup="2st", decay="3st").plan(Horizon(10)))
    assert [(span.name, span.start, span.end) for span in found] == [
        ("warmup", 0, 2),
        ("stable", 2, 7),
        ("decay", 7, 10),
    ]
