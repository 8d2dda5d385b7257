"""A run of another length: the past stays bit for bit, and what is left follows the policy's formula."""

from __future__ import annotations

from math import cos, pi
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.config.check import read
from lrsched.config.schema import TrainerConfig
from lrsched.errors import ConfigError
from lrsched.horizon import POLICIES, Horizon, Policy
from lrsched.schedules import WSD, Constant, Cosine, Exponential, Linear, OneCycle, Piecewise, Schedule, Step
from lrsched.schedules.extend import extended
from tests.helpers.shelf import SHELF

EIGHT, TWELVE, SIX = Horizon(steps=8), Horizon(steps=12), Horizon(steps=6)
LINE = [1 - t / 8 for t in range(8)]


def values(schedule: Schedule, now: Horizon, at: int, policy: Policy, **options: Any) -> list[float]:
    return extended(schedule, EIGHT, now, at, policy, **options).plan(now).table().tolist()


@pytest.mark.parametrize(
    ("policy", "longer", "shorter"),
    [  # Linear, planned for 8 steps, stopped after 4: v = p_3 = 0.625
        ("keep", [0.5, 0.375, 0.25, 0.125] + [0.125] * 4, [0.5, 0.375]),
        ("stretch", [1 - t / 12 for t in range(4, 12)], [1 - 4 / 6, 1 - 5 / 6]),
        ("cooldown", [0.625] * 6 + [0.625, 0.3125], [0.625, 0.625]),  # 20% of 8 left: 2; of 2: 1
        ("restart", [1 - i / 8 for i in range(8)], [1.0, 0.5]),
        ("reanneal", [0.625 * (1 - i / 8) for i in range(8)], [0.625, 0.3125]),
    ],
)
def test_a_line(policy: Policy, longer: list[float], shorter: list[float]) -> None:
    np.testing.assert_array_max_ulp(values(Linear(), TWELVE, 4, policy), np.array(LINE[:4] + longer), maxulp=1)
    np.testing.assert_array_max_ulp(values(Linear(), SIX, 4, policy), np.array(LINE[:4] + shorter), maxulp=1)


@pytest.mark.parametrize(
    ("policy", "longer"),
    [  # a finished run: v = p_7 = 0.125
        ("keep", [0.125] * 4),
        ("stretch", [1 - t / 12 for t in range(8, 12)]),
        ("cooldown", [0.125] * 4),  # the last of them is the decay's first step, at its start
        ("restart", [1.0, 0.75, 0.5, 0.25]),
        ("reanneal", [0.125, 0.09375, 0.0625, 0.03125]),
    ],
)
def test_a_finished_run_goes_on(policy: Policy, longer: list[float]) -> None:
    np.testing.assert_array_max_ulp(values(Linear(), TWELVE, 8, policy), np.array(LINE + longer), maxulp=1)


@pytest.mark.parametrize("policy", POLICIES)
def test_edges(policy: Policy) -> None:
    assert values(Linear(), SIX, 6, policy) == LINE[:6]  # nothing is left
    start = {
        "keep": LINE[:6],
        "stretch": [1 - t / 6 for t in range(6)],
        "cooldown": [1.0] * 6,  # 20% of 6 is 1.2: one step
        "restart": [1 - t / 6 for t in range(6)],
        "reanneal": [1 - t / 6 for t in range(6)],
    }
    np.testing.assert_array_max_ulp(values(Linear(), SIX, 0, policy), np.array(start[policy]), maxulp=1)


def test_a_cooldown_of_a_given_length_tends_to_final() -> None:
    trunk = Constant(final=0.5)
    assert values(trunk, TWELVE, 8, "cooldown", decay="4st") == [1.0] * 8 + [1.0, 0.875, 0.75, 0.625]
    absolute = extended(Constant(final={"absolute": 0.5}), EIGHT, TWELVE, 8, "cooldown", "4st")
    assert absolute.table(TWELVE, 2.0)["lr"].tolist()[8:] == [2.0, 1.625, 1.25, 0.875]


def test_no_cooldown_or_reannealing_rises() -> None:
    ramp = Linear(warmup="6st", final=0.75)  # v = 2/6, below final
    for policy in ("cooldown", "reanneal"):
        assert values(ramp, TWELVE, 2, policy)[2:] == [2 / 6] * 10


@pytest.mark.parametrize(
    ("schedule", "shape"),
    [
        (Cosine(), lambda x: (1 + cos(pi * x)) / 2),
        (WSD(decay="50%", shape="square"), lambda x: 1 - x**2),
        (Step(every="4st", gamma=0.5), lambda x: 1 - x),
        (Piecewise(points=[["0st", 1], ["4st", 0.5]]), lambda x: 1 - x),
    ],
)
def test_reannealing_has_the_plans_own_last_shape_or_is_a_line(schedule: Schedule, shape: Any) -> None:
    v = schedule.plan(EIGHT)[5]
    expected = [v * shape(i / 6) for i in range(6)]
    np.testing.assert_allclose(values(schedule, TWELVE, 6, "reanneal")[6:], expected, rtol=1e-15, atol=0)


def test_an_exponential_reanneals_to_0_in_a_line() -> None:
    assert values(Exponential(gamma=0.5, every="1st"), SIX, 2, "reanneal")[2:] == [0.5, 0.375, 0.25, 0.125]


def test_a_restart_is_a_run_of_its_own() -> None:
    """Its warm-up and its percentages are those of the steps that are left."""
    schedule = WSD(warmup="25%", decay="50%")
    now = Horizon(steps=16)
    np.testing.assert_array_equal(values(schedule, now, 8, "restart")[8:], schedule.plan(EIGHT).table())
    assert extended(schedule, EIGHT, now, 8, "restart").plan(now).starts.tolist() == [0, 2, 4, 8, 10, 12]


def test_phases_keep_their_names() -> None:
    def names(policy: Policy) -> list[str]:
        return [part.name for part in extended(WSD(decay="50%"), EIGHT, TWELVE, 4, policy).plan(TWELVE).parts]

    assert names("keep") == ["stable", "decay", "held"]
    assert names("stretch") == ["stable", "stable", "decay"]
    assert names("cooldown") == ["stable", "stable", "cooldown"]
    assert names("restart") == ["stable", "stable", "decay"]
    assert names("reanneal") == ["stable", "reanneal"]


def test_the_momentum_follows_or_stays() -> None:
    cycle = OneCycle(rise="2st", anneal="linear", momentum=(0.5, 0.75))
    planned = cycle.table(EIGHT)["momentum"].tolist()

    def momentum(policy: Policy) -> list[float]:
        return extended(cycle, EIGHT, TWELVE, 4, policy).table(TWELVE)["momentum"].tolist()

    assert momentum("keep") == planned + [planned[7]] * 4
    assert momentum("stretch") == planned[:4] + cycle.table(TWELVE)["momentum"].tolist()[4:]
    assert momentum("restart") == planned[:4] + planned
    assert momentum("cooldown") == momentum("reanneal") == planned[:4] + [planned[3]] * 8


def test_what_was_extended_can_be_extended_again() -> None:
    once = extended(Linear(), EIGHT, TWELVE, 4, "restart")
    again = extended(once, TWELVE, Horizon(steps=16), 8, "restart").plan(Horizon(steps=16)).table()
    assert again.tolist() == LINE[:4] + LINE[:4] + LINE


@pytest.mark.parametrize("name", SHELF)
@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=10, deadline=None)
@given(steps=st.integers(10, 120), later=st.integers(10, 120), share=st.floats(0, 1))
def test_the_past_stays_bit_for_bit(name: str, policy: Policy, steps: int, later: int, share: float) -> None:
    schedule = SHELF[name](warmup="10%", final=0.01)
    planned, now = Horizon(steps, 7), Horizon(later, 7)
    at = int(share * min(steps, later))
    try:
        columns = extended(schedule, planned, now, at, policy).table(now, 0.3)
    except ConfigError:  # a restart's lengths may not fit into the few steps that are left
        if policy != "restart" or later - at >= 10:
            raise
        return
    for column, before in schedule.table(planned, 0.3).items():
        np.testing.assert_array_equal(columns[column][:at], before[:at])
        assert columns[column].shape == (later,)
        assert np.isfinite(columns[column]).all()
        assert (columns[column] >= 0).all()


# --- the key, and what is refused ------------------------------------------------------------------


def test_the_schema_knows_the_same_words() -> None:
    assert tuple(POLICIES) == get_args(Policy)
    assert read(TrainerConfig, {"on_extend": "keep"}, "trainer").on_extend == "keep"
    with pytest.raises(ConfigError, match=r"^trainer\.on_extend=strech: .*did you mean 'stretch'\?"):
        read(TrainerConfig, {"on_extend": "strech"}, "trainer")


def test_without_a_policy_it_is_refused_by_a_message_that_lists_the_five() -> None:
    with pytest.raises(ConfigError) as caught:
        extended(Linear(), EIGHT, TWELVE, 4, None)
    assert str(caught.value).startswith("trainer.on_extend=null: the run was planned for 8 steps and is to have 12")
    assert all(f"{name} (" in str(caught.value) for name in POLICIES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((SIX, 7, "keep"), "at=7: lies outside of a run of 6 steps"),
        ((TWELVE, 9, "keep"), "at=9: lies outside of a run of 8 steps"),
        ((TWELVE, -1, "keep"), "at=-1: lies outside of a run of 8 steps"),
        ((TWELVE, 8, "cooldown", "5st"), "decay=5st: is 5 steps, but only 4 are left; shorten it"),
        ((TWELVE, 8, "cooldown", "0st"), "decay=0st: must be at least one step"),
        ((TWELVE, 8, "hold"), "trainer.on_extend=hold: is not one of keep, stretch, cooldown, restart, reanneal"),
    ],
)
def test_messages(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        extended(Linear(), EIGHT, *arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize("policy", get_args(Policy))
def test_other_values_and_groups_go_on_by_the_same_policy(policy: Policy) -> None:
    step = Step(every="2st", gamma=0.5)
    schedule = Linear(also={"weight_decay": "same", "beta2": step}, groups={"head": step})
    longer = extended(schedule, EIGHT, TWELVE, 4, policy)
    table = longer.table(TWELVE, {"lr": 1.0, "weight_decay": 1.0, "beta2": 1.0})
    alone = values(step, TWELVE, 4, policy)
    assert table["weight_decay"].tolist() == table["lr"].tolist() == values(Linear(), TWELVE, 4, policy)
    assert table["beta2"].tolist() == alone
    assert longer.of_group("head").plan(TWELVE).table().tolist() == alone
