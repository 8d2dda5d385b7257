"""What holds for every schedule on the shelf, whatever its formula."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import Schedule
from tests.helpers.shelf import SHELF

Make = Callable[..., Schedule]
every_schedule = pytest.mark.parametrize("make", SHELF.values(), ids=SHELF.keys())

horizons = st.builds(Horizon, steps=st.integers(10, 400), steps_per_epoch=st.integers(1, 40))
floors = st.sampled_from([0.0, 0.001, 0.3, {"absolute": 1e-4}])
warmups = st.sampled_from(["5%", "12.5%", "30%", "1st"])  # never zero: Noam's formula has no such case
ramps = st.sampled_from(
    [
        {},
        {"warmup_start": 0.02},
        {"warmup_start": 0.02, "warmup_shape": "constant"},
        {"warmup_start": 0.001, "warmup_shape": "exponential"},
        {"warmup_shape": "cosine"},
        {"warmup_shape": "polynomial", "warmup_power": 1.5},
        {"warmup_shape": "sqrt"},
    ]
)
shared = st.one_of(
    st.builds(lambda final: {"final": final}, floors),
    st.builds(lambda warmup, ramp, final: {"warmup": warmup, "final": final, **ramp}, warmups, ramps, floors),
)
quick = settings(max_examples=50, deadline=None)


@every_schedule
@quick
@given(horizon=horizons, options=shared, peak=st.sampled_from([1.0, 0.1]))
def test_phases_tile_the_run_with_finite_values(
    make: Make, horizon: Horizon, options: dict[str, Any], peak: float
) -> None:
    plan = make(**options).plan(horizon, peak)
    assert plan.starts.tolist() == np.cumsum([0, *(part.steps for part in plan.parts)])[:-1].tolist()
    assert plan.steps == sum(part.steps for part in plan.parts) == horizon.steps
    assert all(part.steps > 0 for part in plan.parts)
    for column in make(**options).table(horizon, peak).values():
        assert column.shape == (horizon.steps,)
        assert column.dtype == np.float64
        assert np.isfinite(column).all()
        assert (column >= 0).all()


@every_schedule
@quick
@given(horizon=horizons, options=shared, data=st.data())
def test_a_value_needs_no_history(make: Make, horizon: Horizon, options: dict[str, Any], data: st.DataObject) -> None:
    plan = make(**options).plan(horizon)
    table = plan.table()
    steps = data.draw(st.lists(st.integers(0, horizon.steps - 1), max_size=40))
    np.testing.assert_array_equal(plan.at(steps), table[steps], strict=True)
    assert [plan[t] for t in steps[:3]] == table[steps[:3]].tolist()
    np.testing.assert_array_equal(make(**options).plan(horizon).table(), table)  # equal schedules, equal bits


@every_schedule
@quick
@given(
    twentieths=st.integers(5, 40),
    steps_per_epoch=st.integers(1, 40),
    warmup=st.sampled_from(["5%", "10%", "25%"]),
    final=st.sampled_from([0.0, 0.1]),
)
def test_twice_the_run_is_twice_each_phase(
    make: Make, twentieths: int, steps_per_epoch: int, warmup: str, final: float
) -> None:
    """Percentages and epochs stretch with the run. Here all are whole steps; what a schedule divides
    among its phases by itself may round, by a step for each boundary before."""
    schedule = make(warmup=warmup, final=final)
    once = schedule.plan(Horizon(20 * twentieths, steps_per_epoch)).starts
    twice = schedule.plan(Horizon(40 * twentieths, 2 * steps_per_epoch)).starts
    assert len(once) == len(twice)
    assert (np.abs(twice - 2 * once) <= np.arange(len(once))).all()


@every_schedule
def test_a_schedule_is_a_value(make: Make) -> None:
    one, other = make(warmup="5%", final={"absolute": 0.1}), make(warmup="5%", final={"absolute": 0.1})
    assert one == other != make()
    assert hash(one) == hash(other)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.warmup = "1%"  # type: ignore[misc]
    # Lists, as a config gives them, are frozen into tuples.
    as_lists = {f.name: _thaw(getattr(one, f.name)) for f in dataclasses.fields(one) if f.init and f.name != "final"}
    assert hash(make(**as_lists, final=one.final)) == hash(one)


@every_schedule
def test_after_the_end_the_last_value_holds_or_it_is_an_error(make: Make) -> None:
    run = Horizon(steps=2, steps_per_epoch=2)  # as long as the table's file
    plan = make().plan(run)
    assert plan.at([2, 3, 10**9]).tolist() == [plan[1]] * 3
    strict = make(past="raise").plan(run)
    assert strict[1] == plan[1]
    with pytest.raises(ConfigError, match="step 2 lies after the schedule's 2 steps"):
        strict[2]
    with pytest.raises(IndexError, match="step -1 lies before the run"):
        plan[-1]


@every_schedule
@pytest.mark.parametrize("steps", range(1, 10))
def test_a_very_short_run_is_a_run(make: Make, steps: int) -> None:
    """A config that is tried for a few steps must not fail because of its length."""
    assert len(make().plan(Horizon(steps=steps, steps_per_epoch=steps)).table()) == steps


def _thaw(value: Any) -> Any:
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value
