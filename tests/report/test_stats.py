"""The statistics against hand computations, other formulas and scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.report.stats import (
    algoperf_scores,
    bca_interval,
    fewest_pairs,
    holm,
    pairs_needed,
    probability_better,
    sign_flip_p,
    smallest_p,
)

SKEWED = [0.1, 0.2, 0.25, 0.3, 0.9, 2.5]
numbers = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 6))


@pytest.mark.parametrize("values", [SKEWED, [-1.0, 2.0], [0.01, -0.02, 0.05, 0.04, 0.0, -0.01, 0.03]])
def test_the_interval_is_scipys(values: list[float]) -> None:
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=9999, rng=0).confidence_interval
    np.testing.assert_allclose(bca_interval(values), (theirs.low, theirs.high), rtol=1e-12)


def test_the_interval_of_skewed_values_leans_to_their_long_tail() -> None:
    low, high = bca_interval(SKEWED)
    assert high - np.mean(SKEWED) > 1.5 * (np.mean(SKEWED) - low)


def test_the_interval_of_many_normal_values_is_the_textbooks() -> None:
    values = np.random.default_rng(5).normal(1.0, 2.0, 400)
    half = 1.96 * values.std(ddof=1) / 20
    np.testing.assert_allclose(bca_interval(values.tolist()), [values.mean() - half, values.mean() + half], atol=0.02)


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


def test_beyond_fourteen_pairs_the_drawn_p_is_near_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(3).normal(0.4, 1.0, 20)
    theirs = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=50_000, vectorized=True, axis=0, rng=1
    ).pvalue
    assert sign_flip_p(values.tolist()) == pytest.approx(theirs, abs=4 * math.sqrt(theirs * (1 - theirs) / 2**14))


@given(st.lists(numbers, min_size=3, max_size=8))
def test_swapping_the_two_turns_the_interval_round_and_keeps_the_p(values: list[float]) -> None:
    turned = [-value for value in values]
    assert sign_flip_p(values) == sign_flip_p(turned)
    low, high = bca_interval(values)
    scale = max(map(abs, values)) + 1e-300
    assert np.allclose(bca_interval(turned), (-high, -low), rtol=0, atol=1e-6 * scale)


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
