"""Which rates are tried next: those that tell the most about the best one at the end."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrsched.finder.curves import COLUMNS, NEEDED, STEEPNESS, WALL, Curves
from lrsched.finder.fit import Fit
from lrsched.finder.losses import Losses, Noise
from lrsched.finder.rates import APART, Worth, climb, has


def losses(rates: list[float], rise: float, wall: float = math.inf, noise: float = 0.0) -> Losses:
    """A parabola about rate 0.1, or beyond ``wall`` what diverged; three seeds ± ``noise``."""
    x = np.log(rates)
    y = rise * (x - math.log(0.1)) ** 2
    each = np.exp(y[:, None] + noise * np.array([-1.0, 0.0, 1.0]))
    return Losses(x, np.where(x[:, None] < math.log(wall), each, np.inf))


def test_the_outer_rates_stand_on_either_side_of_the_best_one_and_apart() -> None:
    fit = Fit.of({100: losses([0.025, 0.05, 0.1, 0.2, 0.4], 0.3, noise=0.05)}, 1.0)
    worth = Worth(fit, 200, 4000, 3, 1.0)
    low, top = worth.outer()
    middle = float(fit.quantiles(200, [0.5])[0])
    assert low < middle < top
    assert 0.5 < top - low < 3
    known = losses([math.exp(low), math.exp(top)], 0.3, noise=0.05)
    third = Worth(
        Fit.of({100: losses([0.025, 0.05, 0.1, 0.2, 0.4], 0.3, noise=0.05), 200: known}, 1.0), 200, 4000, 3, 1.0
    )
    assert np.abs(third.one(known) - known.x).min() > APART


@pytest.mark.parametrize("rise", [0.3, -0.3])
def test_the_third_rate_lies_between_two_that_are_far_apart(rise: float) -> None:
    """In ln rate, in 3 to 9 tenths of their distance: wherever the best one is thought to be."""
    known = losses([0.03, 0.6], rise, noise=0.05)
    first = losses([0.025, 0.05, 0.1, 0.2, 0.4], rise, noise=0.05)
    third = Worth(Fit.of({100: first, 400: known}, 1.0), 400, 4000, 3, 1.0).one(known)
    assert 0.3 < (third - known.x[0]) / np.ptp(known.x) < 0.9


def test_where_rates_diverged_one_is_tried_between_them_and_the_best() -> None:
    """The loss falls up to 0.4, and 0.8 diverged: what lies between is what is not known."""
    first = losses([0.05, 0.1, 0.2, 0.4, 0.8], -0.05, wall=0.5)
    known = losses([0.1, 0.8], -0.05, wall=0.5)
    worth = Worth(Fit.of({100: first, 400: known}, 1.0), 400, 4000, 3, 1.0)
    assert 0.1 < math.exp(worth.one(known)) < 0.8


def test_where_both_diverged_a_lower_one_is_tried() -> None:
    first, known = losses([0.1, 0.2, 0.4], -0.05), losses([0.3, 0.6], 0.1, wall=0.2)
    assert math.exp(Worth(Fit.of({100: first}, 1.0), 400, 4000, 3, 1.0).one(known)) < 0.3 * math.exp(-0.7)


def test_a_wall_stands_where_the_amplification_of_a_decaying_rate_comes_to_what_is_needed() -> None:
    """h·κ·(x − x₁)² = C: its place and slope by hand, at three lengths of the run."""
    kappa, needed, first, length = 5.0, 1.3, 0.4, 100
    place, slope = first + math.sqrt(needed / (length * kappa)), 2 * math.sqrt(needed * length * kappa)
    numbers = np.zeros((1, COLUMNS))
    numbers[0, [WALL, STEEPNESS, NEEDED]] = place, math.log(slope), 2 * needed
    for times in (0.25, 1.0, 16.0):
        at, steep = Curves(numbers).wall(math.log(times))
        assert at[0] == pytest.approx(first + math.sqrt(needed / (times * length * kappa)))
        assert steep[0] == pytest.approx(slope * math.sqrt(times))


def test_the_noise_of_means_is_what_their_losses_have() -> None:
    of = losses([0.05, 0.1, 0.2], 0.3, noise=0.05)
    noise = Noise.of({100: of}, 1.0)
    every = np.ones(3, dtype=bool)
    by_losses = noise.variance * noise.shape(of, every)
    assert noise.covariance(of.x, math.log(0.1), 3) == pytest.approx(by_losses)


def test_the_climb_begins_about_the_start_and_ends_with_worse_ones_on_either_side() -> None:
    assert climb(None, 0.1, 16, 1.0) == [0.05, 0.1, 0.2]
    assert climb(losses([0.05, 0.1, 0.2], 0.3, noise=0.001), 0.1, 16, 1.0) == [0.025]  # two to the left
    of = losses([0.025, 0.05, 0.1, 0.2], 0.3, noise=0.001)
    assert climb(of, 0.1, 16, 1.0) == []
    assert has(of, 0.05)
    assert not has(of, 0.06)
    assert not has(None, 0.05)
