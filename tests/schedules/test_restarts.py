"""Restarts happen at exactly the step they are due."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import SGDR, Periods


def due(first: int, p: int, q: int, steps: int) -> list[int]:
    """Restarts of cycles first·(p/q)^c below ``steps``: the geometric sum in integers, rounded half up.

    After c cycles: first·(p^c − q^c)/(q^(c−1)·(p − q)), or first·c where p = q.
    """
    found: list[int] = []
    for c in range(1, steps):
        if p == q:
            above, below = first * c, 1
        else:
            above, below = first * (p**c - q**c), q ** (c - 1) * (p - q)
            above, below = (above, below) if below > 0 else (-above, -below)
        restart = (2 * above + below) // (2 * below)
        if restart >= steps or first * p ** (c - 1) < q ** (c - 1):
            break
        found.append(restart)
    return found


@pytest.mark.parametrize("first", [1, 2, 3, 5, 7, 10, 64, 1000])
@pytest.mark.parametrize(
    ("mult", "p", "q"),
    [(1, 1, 1), (1.1, 11, 10), (1.2, 6, 5), (1.5, 3, 2), (2, 2, 1), (3, 3, 1), (10, 10, 1), (0.9, 9, 10)],
)
def test_every_restart(mult: float, p: int, q: int, first: int) -> None:
    shrinks = p < q
    steps = first * 5 if shrinks and first > 50 else first if shrinks else 12_000
    plan = SGDR(first=f"{first}st", mult=mult).plan(Horizon(steps=steps))
    restarts = due(first, p, q, steps)
    assert plan.starts.tolist() == [0, *restarts]
    assert (plan.at(restarts) == 1.0).all()
    table = plan.table()
    if first > 1:  # else a cycle of one step has nothing but its peak
        assert (np.flatnonzero(np.diff(table) > 0) + 1).tolist() == restarts


def test_by_hand() -> None:
    def restarts(first: str, mult: float, steps: int) -> list[int]:
        return SGDR(first=first, mult=mult).plan(Horizon(steps=steps)).starts[1:].tolist()

    assert restarts("10st", 1.5, 200) == [10, 25, 48, 81, 132]  # sums 10, 25, 47.5, 81.25, 131.875, 207.8
    assert restarts("10st", 1.1, 100) == [10, 21, 33, 46, 61, 77, 95]  # … 33.1, 46.41, 61.051, 77.1561, 94.87
    assert restarts("10st", 2, 100) == [10, 30, 70]
    assert restarts("64st", 0.5, 127) == [64, 96, 112, 120, 124, 126]


def test_the_restarts_that_a_logarithm_misses() -> None:
    """PyTorch's step(epoch) asks log_10(1000) = 2.9999999999999996 and puts the minimum at 1110."""
    plan = SGDR(first="10st", mult=10).plan(Horizon(steps=2000))
    assert plan.at([10, 110, 1110]).tolist() == [1.0, 1.0, 1.0]
    assert SGDR(first="1st", mult=3).plan(Horizon(steps=200)).at([1, 4, 13, 40, 121]).tolist() == [1.0] * 5


def test_shrinking_cycles_may_end_with_the_run() -> None:
    assert SGDR(first="8st", mult=0.5).plan(Horizon(steps=15)).starts.tolist() == [0, 8, 12, 14]  # 8 + 4 + 2 + 1


def test_shrinking_cycles_that_do_not_cover_the_run_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        SGDR(first="8st", mult=0.5).plan(Horizon(steps=16))
    assert str(caught.value) == (
        "mult=0.5: cycles that start at 8 steps shrink below one step after 15 of 16 steps; raise mult or first"
    )


@pytest.mark.parametrize("steps", [10, 99, 100, 101, 1237])
def test_percentages_that_make_up_the_run_cover_it(steps: int) -> None:
    lengths = ["12.5%", "30%", "7.5%", "50%"]
    ends = [Fraction(1, 8), Fraction(17, 40), Fraction(1, 2)]
    plan = Periods(lengths=lengths).plan(Horizon(steps=steps))
    assert plan.starts.tolist() == [0, *(int(end * steps + Fraction(1, 2)) for end in ends)]
    assert plan.steps == steps


def test_the_end_of_the_run_cuts_a_cycle_and_does_not_squeeze_it() -> None:
    whole = SGDR(first="8st").plan(Horizon(steps=16))
    cut = SGDR(first="8st").plan(Horizon(steps=13))
    np.testing.assert_array_equal(cut.table(), whole.table()[:13])
    assert (cut.parts[-1].steps, cut.parts[-1].whole) == (5, 8)
