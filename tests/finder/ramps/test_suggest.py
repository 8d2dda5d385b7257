"""Suggestions against loops written from their published definitions, on curves of all kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.finder.ramps.suggest import centre, minimum, slide, smoothed, steep, suggestions, valley

RATES = np.geomspace(1e-6, 1.0, 40)
curves = st.lists(st.floats(0.0, 10.0, width=32), min_size=16, max_size=40).map(np.array)


def the_valley(losses: list[float]) -> int:
    """The place, by the quadratic recursion over all pairs."""
    lengths, start, end = [1] * len(losses), 0, 0
    for i in range(len(losses)):
        for j in range(i):
            if losses[i] < losses[j]:
                lengths[i] = max(lengths[i], lengths[j] + 1)
        if lengths[end] < lengths[i]:
            end = i
            start = end - lengths[end]
    third = (end - start) / 3
    return start + int(third) + int(third / 2)


@settings(max_examples=40)
@given(curves)
def test_the_valley_is_that_of_the_recursion(losses: np.ndarray) -> None:
    if len(set(losses.tolist())) > 1 and (np.diff(losses) < 0).any():
        assert valley(RATES, losses) == RATES[max(0, the_valley(losses.tolist()))]


def test_a_valley_by_hand() -> None:
    """5 4 6 3 2 1 7: the longest falling subsequence is 5 4 3 2 1 (or 6 3 2 1), of length 5 with its end at 5; it
    starts, by its length, at 0; s = 5/3; 0 + 1 + 0 = 1."""
    assert valley(RATES, np.array([5.0, 4, 6, 3, 2, 1, 7])) == RATES[1]


def test_the_slide_by_hand() -> None:
    """Level at 1 for ten places, down by 0.1 a place for ten, up by 1 a place for ten. From the right the slopes are
    1, and 15 to the left −0.1, until the right one falls (place 20, slope 0.45), and so on: the pairs differ until
    both are level, which is never, so the last rate is that of place 0."""
    losses = np.concatenate([np.ones(10), 1 - 0.1 * np.arange(1, 11), np.arange(1.0, 11)])
    assert slide(RATES, losses) == RATES[0]


def test_the_slide_ends_where_two_slopes_agree() -> None:
    """A parabola in the place: its slope at i is 2c·i but at the ends; all pairs 15 apart differ by 30c."""
    places = np.arange(40.0)
    assert slide(RATES, 0.001 * places**2) == RATES[0]
    assert slide(RATES, 0.0001 * places**2) == RATES[24]  # they agree at once: that of the first pair
    bent = np.where(places < 30, 0.0, (places - 30) ** 2 * 0.1)
    assert slide(RATES, bent) == RATES[30 - 15]  # the last pair that differs: slopes 0.05 at 30 and 0 at 15
    assert slide(RATES, np.ones(15)) is None


def test_minimum_and_steep_by_hand() -> None:
    losses = np.array([3.0, 2.9, 1.0, 0.5, 4.0])
    assert minimum(RATES, losses) == RATES[3] / 10
    assert steep(RATES[:5], losses) == RATES[1]
    uneven = np.array([1.0, 2.0, 200.0])  # as much lower over a factor of 2 as over one of 100
    assert steep(uneven, np.array([2.0, 1.0, 0.0])) == 1.0


@settings(max_examples=40)
@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=30), st.floats(0.0, 0.99))
def test_the_mean_weighs_losses_by_their_age(losses: list[float], keep: float) -> None:
    weights = [keep ** (len(losses) - 1 - i) for i in range(len(losses))]
    wanted = math.fsum(w * x for w, x in zip(weights, losses, strict=True)) / math.fsum(weights)
    assert smoothed(losses, keep)[-1] == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_the_ends_are_left_out_and_what_is_not_finite_cuts_the_curve() -> None:
    """Of 40 updates the first 4 and the last 5: a deep loss there is not seen."""
    losses = np.linspace(3.0, 1.0, 40)
    losses[2] = losses[36] = -1.0
    assert suggestions(RATES, losses, 40)["minimum"] == RATES[34] / 10
    losses[20] = math.nan
    assert suggestions(RATES, losses, 40)["minimum"] == RATES[19] / 10
    losses[10] = math.inf
    assert suggestions(RATES, losses, 40) == {}
    assert suggestions(RATES[:18], losses[:18], 40) == {}


def test_seeds_are_taken_by_their_median_of_factors() -> None:
    assert centre([1e-4, 1e-3, 1e3]) == pytest.approx(1e-3)
    assert centre([1e-4, 1e-2]) == pytest.approx(1e-3)
