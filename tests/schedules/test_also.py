"""Other values and other groups: what ``also`` and ``groups`` of a schedule make of a table, by formula."""

from __future__ import annotations

import copy
import pickle
from math import cos, pi
from typing import Any

import numpy as np
import pytest

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import Constant, Cosine, Linear, OneCycle, Product, Schedule, Step
from lrsched.schedules.named import refuse_strangers
from tests.helpers.shelf import SHELF

RUN = Horizon(steps=10)
T = range(10)
BASE = {"lr": 0.5, "weight_decay": 0.25, "momentum": 0.8}


def check(schedule: Schedule, name: str, expected: list[float]) -> None:
    column = schedule.table(RUN, BASE)[name]
    np.testing.assert_array_max_ulp(column, np.array(expected, dtype=float), maxulp=1)


def test_the_same_curve_scales_the_values_own_base() -> None:
    schedule = Linear(also={"weight_decay": "same"})
    check(schedule, "lr", [0.5 * (1 - t / 10) for t in T])
    check(schedule, "weight_decay", [0.25 * (1 - t / 10) for t in T])
    assert set(schedule.table(RUN, BASE)) == {"lr", "weight_decay"}


def test_the_same_keeps_the_ratio_to_the_rate_under_an_absolute_floor() -> None:
    schedule = Linear(final={"absolute": 0.1}, also={"weight_decay": "same"})
    multiples = [1 + (0.2 - 1) * (t / 10) for t in T]  # 0.1 is a fifth of the rate's base
    check(schedule, "weight_decay", [0.25 * m for m in multiples])


def test_another_curve_has_its_own_warmup_and_floor() -> None:
    schedule = Cosine(also={"weight_decay": Linear(warmup="2st", final={"absolute": 0.05}), "momentum": Constant()})
    check(schedule, "lr", [0.5 * ((1 + cos(pi * t / 10)) / 2) for t in T])
    check(schedule, "weight_decay", [0.25 * m for m in [0.5, 1, *(1 + (0.2 - 1) * (i / 8) for i in range(8))]])
    check(schedule, "momentum", [0.8] * 10)


def test_only_the_curve_of_another_schedule_counts() -> None:
    cycle = OneCycle(rise="5st", start=0.5, end=0.0, anneal="linear")
    schedule = Constant(also={"weight_decay": cycle})
    assert set(schedule.table(RUN, BASE)) == {"lr", "weight_decay"}
    up, down = [0.5 + 0.5 * (i / 5) for i in range(5)], [1 - i / 5 for i in range(5)]
    check(schedule, "weight_decay", [0.25 * m for m in [*up, *down]])


def test_a_base_that_is_not_given_is_1() -> None:
    table = Linear(also={"weight_decay": "same"}).table(RUN, 0.5)
    assert table["weight_decay"].tolist() == Linear().plan(RUN).table().tolist()


def test_the_schedules_own_momentum_and_anothers_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"also.momentum: the schedule itself moves momentum; give momentum=null"):
        OneCycle(also={"momentum": "same"}).table(RUN)
    check(OneCycle(momentum=None, also={"momentum": Step(every="5st", gamma=0.5)}), "momentum", [0.8] * 5 + [0.4] * 5)


def test_the_first_group_that_matches_the_whole_name_wins() -> None:
    head, rest = Constant(), Step()
    schedule = Linear(groups={"head": head, "head.*|.*no_decay": rest})
    assert schedule.of_group("head") is head
    assert schedule.of_group("head/no_decay") is rest
    assert schedule.of_group("no_decay") is rest
    assert schedule.of_group("ahead") is schedule
    assert schedule.of_group("default") is schedule


def test_a_group_of_no_name_is_refused_with_the_nearest() -> None:
    schedule = Linear(groups={"haed": Constant()})
    refuse_strangers(schedule.groups, ["default", "haed"])
    with pytest.raises(ConfigError, match=r"groups.haed: matches no parameter group; did you mean 'head'\?"):
        refuse_strangers(schedule.groups, ["default", "head"])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_it_stays_a_value(copied: Any) -> None:
    first = Linear(also={"weight_decay": "same", "momentum": Step()}, groups={"a": Constant(), "b": Step()})
    again = Linear(also={"momentum": Step(), "weight_decay": "same"}, groups={"a": Constant(), "b": Step()})
    assert first == again == copied(first)
    assert hash(first) == hash(again) == hash(copied(first))
    assert first != Linear(also=first.also, groups={"b": Step(), "a": Constant()})  # the first match wins


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"also": {"lr": "same"}}, "also.lr: lr is what the schedule itself moves"),
        ({"also": {"momentum": "equal"}}, "also.momentum=equal: must be a schedule, or same"),
        ({"also": {"momentum": 0.9}}, "also.momentum=0.9: must be a schedule, or same"),
        ({"also": ["momentum"]}, "also=[momentum]: must be a mapping {name: schedule}"),
        ({"groups": {"head": "same"}}, "groups.head=same: must be a schedule"),
        ({"groups": {"(head": Constant()}}, "groups.(head: is no regular expression"),
        ({"groups": {"a": Linear(groups={"b": Constant()})}}, "groups.a.groups: a group has no groups of its own"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Linear(**options)
    assert str(caught.value).startswith(message)


COMBINED = ["Cooldown", "Noise", "Product", "Sequence"]


@pytest.mark.parametrize("kind", COMBINED)
def test_a_combiner_moves_other_values_and_knows_groups(kind: str) -> None:
    other = Linear(final=0.5)
    combined = SHELF[kind](also={"weight_decay": "same", "beta2": other}, groups={"head": other})
    table = combined.table(Horizon(steps=8, steps_per_epoch=8), {"lr": 1.0, "weight_decay": 0.25, "beta2": 1.0})
    assert table["weight_decay"].tolist() == (0.25 * table["lr"]).tolist()
    assert table["beta2"].tolist() == [1 - t / 16 for t in range(8)]
    assert combined.of_group("head") == other


@pytest.mark.parametrize("name", ["also", "groups"])
def test_what_a_part_says_of_others_would_not_be_heard(name: str) -> None:
    part = Linear(**{name: {"weight_decay": Constant()}})
    with pytest.raises(ConfigError, match=rf"factors\[1\]\.{name}: only the curve of a part counts; give {name} to"):
        Product(factors=[Constant(), part])
