"""What holds for every schedule on the shelf, whatever its formula."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched.schedules
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import Schedule

SHELF: dict[str, type[Schedule]] = {name: getattr(lrsched.schedules, name) for name in dir(lrsched.schedules)}
every_schedule = pytest.mark.parametrize("cls", SHELF.values(), ids=SHELF.keys())

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
    cls: type[Schedule], horizon: Horizon, options: dict[str, Any], peak: float
) -> None:
    plan = cls(**options).plan(horizon, peak)
    assert plan.starts.tolist() == np.cumsum([0, *(part.steps for part in plan.parts)])[:-1].tolist()
    assert plan.steps == sum(part.steps for part in plan.parts) == horizon.steps
    assert all(part.steps > 0 for part in plan.parts)
    for column in cls(**options).table(horizon, peak).values():
        assert column.shape == (horizon.steps,)
        assert column.dtype == np.float64
        assert np.isfinite(column).all()
        assert (column >= 0).all()


@every_schedule
@quick
@given(horizon=horizons, options=shared, data=st.data())
def test_a_value_needs_no_history(
    cls: type[Schedule], horizon: Horizon, options: dict[str, Any], data: st.DataObject
) -> None:
    plan = cls(**options).plan(horizon)
    table = plan.table()
    steps = data.draw(st.lists(st.integers(0, horizon.steps - 1), max_size=40))
    np.testing.assert_array_equal(plan.at(steps), table[steps], strict=True)
    assert [plan[t] for t in steps[:3]] == table[steps[:3]].tolist()
    np.testing.assert_array_equal(cls(**options).plan(horizon).table(), table)  # equal schedules, equal bits


@every_schedule
@quick
@given(
    twentieths=st.integers(5, 40),
    steps_per_epoch=st.integers(1, 40),
    warmup=st.sampled_from(["5%", "10%", "25%"]),
    final=st.sampled_from([0.0, 0.1]),
)
def test_twice_the_run_is_twice_each_phase(
    cls: type[Schedule], twentieths: int, steps_per_epoch: int, warmup: str, final: float
) -> None:
    """Percentages and epochs stretch with the run. Here all are whole steps; what a schedule divides
    among its phases by itself may round, by a step for each boundary before."""
    schedule = cls(warmup=warmup, final=final)
    once = schedule.plan(Horizon(20 * twentieths, steps_per_epoch)).starts
    twice = schedule.plan(Horizon(40 * twentieths, 2 * steps_per_epoch)).starts
    assert len(once) == len(twice)
    assert (np.abs(twice - 2 * once) <= np.arange(len(once))).all()


@every_schedule
def test_a_schedule_is_a_value(cls: type[Schedule]) -> None:
    one, other = cls(warmup="5%", final={"absolute": 0.1}), cls(warmup="5%", final={"absolute": 0.1})
    assert one == other != cls()
    assert hash(one) == hash(other)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.warmup = "1%"  # type: ignore[misc]
    # Lists, as a config gives them, are frozen into tuples.
    as_lists = {f.name: _thaw(getattr(one, f.name)) for f in dataclasses.fields(one) if f.name != "final"}
    assert hash(cls(**as_lists, final=one.final)) == hash(one)


@every_schedule
def test_after_the_end_the_last_value_holds_or_it_is_an_error(cls: type[Schedule]) -> None:
    run = Horizon(steps=20, steps_per_epoch=3)
    plan = cls().plan(run)
    assert plan.at([20, 21, 10**9]).tolist() == [plan[19]] * 3
    strict = cls(past="raise").plan(run)
    assert strict[19] == plan[19]
    with pytest.raises(ConfigError, match="step 20 lies after the schedule's 20 steps"):
        strict[20]
    with pytest.raises(IndexError, match="step -1 lies before the run"):
        plan[-1]


@every_schedule
@pytest.mark.parametrize("steps", range(1, 10))
def test_a_very_short_run_is_a_run(cls: type[Schedule], steps: int) -> None:
    """A config that is tried for a few steps must not fail because of its length."""
    assert len(cls().plan(Horizon(steps=steps)).table()) == steps


def _thaw(value: Any) -> Any:
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value
