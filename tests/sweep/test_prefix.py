"""Which runs share their first steps: the plan of a sweep, without running it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lrsched.horizon import Horizon
from lrsched.schedules import WSD, Cosine, Exponential, MultiStep, Schedule, Step
from lrsched.sweep.stages.prefix import Fork, Stand, Table, common, critical_paths, plan_forks, to_train

STEPS = (150, 250, 350, 500)


def table(schedule: Schedule, steps: int) -> Table:
    return schedule.table(Horizon(steps), 0.1)["lr"][:, None]


def grid(fractions: tuple[int, ...]) -> list[Table]:
    """Trunk and cooldowns of Hägele et al., NeurIPS 2024: every length with every cooldown, in percent."""
    return [table(WSD(decay=f"{percent}%"), steps) for steps, percent in product(STEPS, fractions)]


def fresh(tables: list[Table]) -> list[Stand]:
    return [Stand(len(rows)) for rows in tables]


@pytest.mark.parametrize(
    ("fractions", "asked", "trained"), [((10, 20, 40, 60, 80, 90), 7500, 4200), ((10, 20), 2500, 825)]
)
def test_the_public_grid(fractions: tuple[int, ...], asked: int, trained: int) -> None:
    tables = grid(fractions)
    stands = fresh(tables)
    forks = plan_forks(stands, common(tables))
    assert sum(stand.steps for stand in stands) == asked
    # max (1 − c)·T over the runs, and c·T of each
    by_formula = 450 + sum(steps * percent // 100 for steps, percent in product(STEPS, fractions))
    assert sum(to_train(stands, forks)) == by_formula == trained
    trunk = len(tables) - len(fractions)  # 500 steps, the shortest cooldown
    starts = [steps * (100 - percent) // 100 for steps, percent in product(STEPS, fractions)]
    assert forks == [None if index == trunk else Fork(trunk, start) for index, start in enumerate(starts)]


def test_common_rows_are_counted_by_their_bits() -> None:
    rows = np.array([[0.1], [0.1], [0.1]])
    nearly = rows.copy()
    nearly[2] = np.nextafter(0.1, 1)
    minus = np.array([[0.1], [0.0]])
    plus = np.array([[0.1], [-0.0]])
    assert common([rows, nearly, minus, plus]).tolist() == [[3, 2, 1, 1], [2, 3, 1, 1], [1, 1, 2, 1], [1, 1, 1, 2]]


def test_common_rows_are_those_of_a_direct_comparison() -> None:
    rng = np.random.default_rng(0)
    tables = [rng.integers(0, 2, (rng.integers(1, 9), 2)).astype(float) for _ in range(40)]

    def direct(a: Table, b: Table) -> int:
        return next((s for s, (x, y) in enumerate(zip(a, b, strict=False)) if (x != y).any()), min(len(a), len(b)))

    assert common(tables).tolist() == [[direct(a, b) for b in tables] for a in tables]


@pytest.mark.parametrize(
    ("one", "other", "first_difference"),
    [
        (Step(every="30st"), Step(every="40st"), 30),
        (Step(every="30st", gamma=0.5), Step(every="30st", gamma=0.1), 30),
        (MultiStep(milestones=("20st", "50st")), MultiStep(milestones=("20st", "70st")), 50),
        (MultiStep(milestones=("25st",)), Step(every="25st"), 50),
        (Exponential(final=0.01), Exponential(final=0.1), 1),
        (Step(every="40st", warmup="15st"), MultiStep(milestones=("30st",), warmup="15st"), 15 + 30),
        (Cosine(warmup="15st"), Step(every="50st", warmup="15st"), 16),  # the peak is the first of both
    ],
)
def test_a_fork_lies_at_the_last_step_before_the_first_difference(
    one: Schedule, other: Schedule, first_difference: int
) -> None:
    tables = [table(one, 100), table(other, 100)]
    assert common(tables)[0, 1] == first_difference
    expected = None if first_difference - 1 < 10 else Fork(0, first_difference - 1)
    assert plan_forks(fresh(tables), common(tables)) == [None, expected]


def test_cosines_of_different_lengths_share_nothing() -> None:
    tables = [table(Cosine(), 100), table(Cosine(), 200)]
    assert plan_forks(fresh(tables), common(tables)) == [None, None]


def test_cosines_of_different_lengths_share_their_warm_up() -> None:
    tables = [table(Cosine(warmup="20st"), 100), table(Cosine(warmup="20st"), 200)]
    assert plan_forks(fresh(tables), common(tables)) == [Fork(1, 20), None]  # the longer one is the trunk


def test_equal_tables_are_trained_once_but_for_the_last_step() -> None:
    tables = [table(Step(every="10st"), 100)] * 3
    forks = plan_forks(fresh(tables), common(tables))
    assert forks == [None, Fork(0, 99), Fork(0, 99)]
    assert to_train(fresh(tables), forks) == [100, 1, 1]


def test_a_fork_must_be_worth_it() -> None:
    long = [table(Step(every=f"{at}st"), 2000) for at in (15, 30)]  # 14 steps are less than 1 % of 2000
    assert plan_forks(fresh(long), common(long)) == [None, None]
    short = [rows[:1000] for rows in long]
    assert plan_forks(fresh(short), common(short)) == [None, Fork(0, 14)]


def test_what_is_finished_serves_only_where_it_kept_a_state() -> None:
    tables = grid((10, 20))  # 150, 250, 350 and 500 steps, each with 10 and 20 %; 6 is the trunk
    kept = [*fresh(tables[:6]), Stand(500, 500, done=True, kept=frozenset({225, 400})), Stand(500)]
    forks = plan_forks(kept, common(tables))
    # 3 leaves the trunk at 200: no state is left of that, and those that begin at 225 cannot give it.
    assert forks == [Fork(3, 135), Fork(3, 120), Fork(6, 225), None, Fork(6, 225), Fork(4, 280), None, Fork(6, 400)]
    assert to_train(kept, forks) == [15, 30, 25, 250, 125, 70, 0, 100]
    kept[6] = Stand(500, 500, done=True)
    assert all(fork is None or fork.source != 6 for fork in plan_forks(kept, common(tables)))


def test_what_is_under_way_serves_from_where_it_stands() -> None:
    tables = [table(WSD(decay="20%"), steps) for steps in (100, 200, 300)]
    stands = [Stand(100), Stand(200), Stand(300, at=120)]  # beyond the fork of the first, before that of the second
    assert plan_forks(stands, common(tables)) == [None, Fork(2, 160), None]
    assert to_train(stands, plan_forks(stands, common(tables))) == [100, 40, 180]


def test_what_was_changed_on_its_way_serves_nobody() -> None:
    tables = [table(WSD(decay="20%"), steps) for steps in (100, 300)]
    assert plan_forks([Stand(100), Stand(300, at=20, sound=False)], common(tables)) == [None, None]


def test_those_who_are_waited_for_come_first() -> None:
    tables = grid((10, 20))
    stands = fresh(tables)
    assert critical_paths(stands, plan_forks(stands, common(tables))) == [15, 30, 25, 50, 35, 70, 500, 100]
    chain = [Stand(100), Stand(100), Stand(300)]
    forks = [None, Fork(0, 50), Fork(1, 60)]
    assert critical_paths(chain, forks) == [50 + 10 + 240, 10 + 240, 240]
