"""The statistics against hand computations, other formulas and scipy."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.report.stats import (
    attained,
    fewest_pairs,
    holm,
    interval,
    pairs_needed,
    probability_better,
    sign_flip_p,
    smallest_p,
)
from lrsched.report.time_to_target import algoperf_scores

numbers = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 6))


def test_the_interval_by_hand() -> None:
    # Seven pairs: the ends are the third smallest and third largest of the 127 means, 3 = floor(.05·2^6).
    # 1, 1.5 = (1+2)/2, 2 = (1+3)/2 = (1+2+3)/3 = 2; and 8, 7 = (6+8)/2, 6.5 = (5+8)/2.
    assert interval([5, 3, 1, 8, 2, 6, 4]) == pytest.approx((2, 6.5), rel=1e-15)
    assert interval([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]) == (0.5, 0.5)


@given(st.lists(numbers, min_size=1, max_size=9), st.sampled_from([0.95, 0.9, 0.5]))
def test_the_ends_are_those_of_all_subset_means(values: list[float], level: float) -> None:
    n = len(values)
    means = sorted(math.fsum(part) / len(part) for k in range(1, n + 1) for part in itertools.combinations(values, k))
    rank = math.floor((1 - level) * 2 ** (n - 1))
    ends = (means[rank - 1], means[-rank]) if rank else (-math.inf, math.inf)
    assert interval(values, level) == pytest.approx(ends, abs=1e-9)


@given(st.lists(st.integers(-4, 12), min_size=1, max_size=12), st.sampled_from([1.0, 0.1, 1e-9]))
def test_the_interval_excludes_0_exactly_when_p_is_below_a_twentieth(values: list[int], unit: float) -> None:
    differences = [unit * value for value in values]  # small integers: many subsets sum to 0
    low, high = interval(differences)
    assert (low > 0 or high < 0) == (sign_flip_p(differences) < 0.05)


@pytest.mark.parametrize("n", [13, 21, 30, 31, 47])
def test_interval_and_p_are_one_statement_for_many_pairs(n: int) -> None:
    generator = np.random.default_rng(n)
    for shift in np.linspace(0.1, 0.8, 8):
        differences = generator.normal(shift, 1.0, n).tolist()
        low, high = interval(differences)
        assert (low > 0 or high < 0) == (sign_flip_p(differences) < 0.05)


def test_the_interval_of_many_normal_values_is_the_textbooks() -> None:
    values = np.random.default_rng(5).normal(1.0, 2.0, 400)
    half = 1.96 * values.std(ddof=1) / 20
    np.testing.assert_allclose(interval(values.tolist()), [values.mean() - half, values.mean() + half], atol=0.02)


@pytest.mark.parametrize("n", range(1, 13))
def test_the_level_attained_is_the_share_of_signs_that_the_interval_keeps(n: int) -> None:
    # the ends leave out the p of one step less than they keep: counted from the p-values that n pairs can give
    possible = [k * smallest_p(n) for k in range(1, 2 ** (n - 1) + 1)]
    refused = [p for p in possible if p <= 0.05]
    assert attained(n) == 1 - (refused[-1] if refused else possible[0])


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 6, 7, 8, 12, 20, 30])
@pytest.mark.parametrize("kind", ["normal", "uniform", "laplace", "cauchy"])
def test_the_interval_covers_the_centre_of_symmetric_differences(kind: str, n: int) -> None:
    draws, level = 4000, attained(n)
    drawn = getattr(np.random.default_rng(n), {"cauchy": "standard_cauchy"}.get(kind, kind))(size=(draws, n))
    drawn -= 0.5 if kind == "uniform" else 0.0
    covered = np.mean([covers(row, 0.0, min(level, 0.95)) for row in drawn])
    assert abs(covered - level) <= 3.3 * math.sqrt(level * (1 - level) / draws)
    assert n == 5 or covered >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize(("n", "told"), [(6, 0.93), (8, 0.91), (12, 0.91), (20, 0.92), (30, 0.93)])
def test_the_interval_covers_the_mean_of_exponential_differences_as_often_as_the_docs_say(n: int, told: float) -> None:
    drawn = np.random.default_rng(n).exponential(size=(4000, n))
    covered = np.mean([covers(row, 1.0, 0.95) for row in drawn])
    assert covered == pytest.approx(told, abs=0.015)


def covers(differences: np.ndarray, value: float, level: float) -> bool:
    """Whether the interval holds a value; for many pairs by the p of the shifted ones, which is the same statement."""
    if len(differences) > 12:
        return sign_flip_p((differences - value).tolist()) > 1 - level
    low, high = interval(differences.tolist(), level)
    return low <= value <= high


@pytest.mark.parametrize("n", range(1, 9))
def test_differences_of_one_sign_have_the_smallest_p_that_n_pairs_can_give(n: int) -> None:
    assert sign_flip_p([1.0 + k for k in range(n)]) == 2 / 2**n == smallest_p(n)


@pytest.mark.parametrize(("comparisons", "n"), [(1, 6), (2, 7), (3, 7), (4, 8)])
def test_three_seeds_never_decide_and_six_can(comparisons: int, n: int) -> None:
    assert comparisons * 2 / 2**n < 0.05 <= comparisons * 2 / 2 ** (n - 1)
    assert fewest_pairs(comparisons) == n


def test_the_p_of_four_differences_counted_by_hand() -> None:
    # |±1 ±2 ±3 ±4| >= |1+2+3-4| = 2: of the 16 sums 10 8 6 4 4 2 2 0 and their negatives, all but the two zeros.
    assert sign_flip_p([1, 2, 3, -4]) == 14 / 16


@given(st.lists(numbers, min_size=2, max_size=7))
def test_the_p_is_that_of_going_through_all_signs(values: list[float]) -> None:
    sums = [abs(math.fsum(s * v for s, v in zip(signs, values, strict=True))) for signs in signs_of(len(values))]
    reached = abs(math.fsum(values)) - 1e-9
    assert sign_flip_p(values) == sum(total >= reached for total in sums) / 2 ** len(values)


def signs_of(n: int) -> list[tuple[int, ...]]:
    return list(itertools.product((-1, 1), repeat=n))


@pytest.mark.parametrize("n", [12, 23, 30])
def test_the_p_of_many_pairs_is_exact(n: int) -> None:
    values = np.random.default_rng(n).integers(-6, 10, n).tolist()
    assert sign_flip_p(values) == p_of_integers(values)


def test_beyond_thirty_pairs_the_drawn_p_is_near_the_exact_one() -> None:
    values = np.random.default_rng(3).integers(-9, 13, 40).tolist()
    exact = p_of_integers(values)
    assert 0.01 < exact < 0.5
    assert sign_flip_p(values) == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2**16))


def p_of_integers(values: list[int]) -> float:
    """The p by counting how many choices of signs give each sum, one value after the other, in whole numbers."""
    ways = {0: 1}
    for value in values:
        longer: dict[int, int] = {}
        for total, count in ways.items():
            for sign in (value, -value):
                longer[total + sign] = longer.get(total + sign, 0) + count
        ways = longer
    return sum(count for total, count in ways.items() if abs(total) >= abs(sum(values))) / 2 ** len(values)


@given(st.lists(numbers, min_size=3, max_size=8))
def test_swapping_the_two_turns_the_interval_round_and_keeps_the_p(values: list[float]) -> None:
    turned = [-value for value in values]
    assert sign_flip_p(values) == sign_flip_p(turned)
    low, high = interval(values)
    assert interval(turned) == pytest.approx((-high, -low), rel=1e-12)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9))
def test_the_two_probabilities_add_up_to_one(pairs: list[tuple[float, float]]) -> None:
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert probability_better(a, b) + probability_better(b, a) == pytest.approx(1)


def test_p_of_a_beats_b_is_counted_with_ties_half() -> None:
    assert probability_better([1, 1, 1, 1, 1], [2, 2, 2, 1, 0]) == 3.5 / 5
    assert probability_better([1, math.inf], [math.inf, math.inf]) == 0.75  # two that diverged are a tie


def test_the_pairs_needed_by_the_formula() -> None:
    values = [1 - math.sqrt(1.5), 1.0, 1 + math.sqrt(1.5)]  # mean 1, variance (1.5 + 1.5)/2
    assert pairs_needed(values) == pytest.approx(1.5 * 7.84)  # 7.84 = (1.96 + .84)²
    assert pairs_needed([0.5, -0.5]) == math.inf
    assert pairs_needed([0.5, 0.5]) == 0


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-600, 2.0**600, 2.0**1021])
def test_the_pairs_needed_are_the_same_at_any_scale(scale: float) -> None:
    values = [1.0, 2.0, 2.5]
    assert pairs_needed([value * scale for value in values]) == pairs_needed(values)


def test_differences_that_are_too_large_for_a_number_ask_for_endlessly_many_pairs() -> None:
    assert pairs_needed([math.inf, 0.0]) == pairs_needed([math.inf, -math.inf]) == math.inf


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and none below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_algoperfs_example() -> None:
    times = [[1, 2], [1.5, 1], [math.inf, 8]]
    assert algoperf_scores(times) == pytest.approx([(1 + 2 / 3) / 2, (2.5 / 3 + 1) / 2, 0])


def test_a_workload_that_nobody_solves_gives_nobody_anything() -> None:
    assert algoperf_scores([[math.inf, 1], [math.inf, 2]]) == pytest.approx([1 / 2, 1 / 3])
    assert algoperf_scores([[0.0], [3.0]]) == [1, 0]  # reached before the first step


@given(st.lists(st.lists(st.floats(1, 1e6), min_size=2, max_size=2), min_size=1, max_size=5))
def test_algoperfs_closed_form_is_the_area_below_the_profile(times: list[list[float]]) -> None:
    table = np.array(times)
    ratio = table / table.min(axis=0)
    taus = 1 + 3 * (np.arange(6000) + 0.5) / 6000  # the middles of equal steps
    area = (ratio[:, :, None] <= taus).mean(axis=(1, 2))
    np.testing.assert_allclose(algoperf_scores(times), area, atol=1e-3)


def test_the_drawn_signs_of_many_pairs_take_a_byte_each() -> None:
    differences = np.random.default_rng(5).normal(size=100).tolist()
    tracemalloc.start()
    try:
        interval(differences)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 100 * 2**16 < most < 2.5 * 100 * 2**16  # as floats they would take eight times as much, twice
