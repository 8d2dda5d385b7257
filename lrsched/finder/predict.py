"""What a run will come to at its best rate, from what short runs came to at theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lrsched.finder.answer import Candidate
from lrsched.finder.curves import Floats
from lrsched.finder.fit import Fit
from lrsched.finder.losses import by_horizon

FLOOR = 0.005
"""The least error of a prediction that is believed, of ln loss."""

ABOUT = 8.0
"""A rate whose ln loss lies 1 above the least counts e^−8."""

HIGHEST = 0.7
"""The most, of ln loss, that a rate about the best one is taken to lie above it."""

STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)
"""97.5 % quantiles of Student's t for 1, 2, … degrees of freedom; 2.1 beyond."""


@dataclass(frozen=True)
class Bests:
    """The least loss at each horizon, whatever the rate.

    Args:
        steps: of the horizons, ascending; float64[horizons].
        each: ln of it for every seed, float64[horizons, seeds].
        sd: of its mean over the seeds, as far as it comes from where the best rate lies; float64[horizons].
    """

    steps: Floats
    each: Floats
    sd: Floats

    @classmethod
    def of(cls, fit: Fit, trials: Sequence[Candidate], seeds: Sequence[int]) -> Bests:
        """Read them off: what the rates about the best one came to, less what the fit says that they lie above it."""
        known = by_horizon(trials, seeds)
        rows, sds = [], []
        for horizon in fit.least:
            of = known[horizon]
            near = of.near()
            mean, seed = of.mean[near], np.log(of.each[near])
            weight = np.exp(-ABOUT * (mean - mean.min()))
            weight /= weight.sum()
            above = np.minimum(fit.rises(horizon, of.x[near]), HIGHEST) @ weight
            middle = float(above @ fit.weight)
            rows.append(weight @ ((mean - seed.mean(1))[:, None] + seed) - middle)
            sds.append(float(np.sqrt(np.maximum(above**2 @ fit.weight - middle**2, 0))))
        return cls(np.array(list(fit.least), dtype=np.float64), np.array(rows), np.array(sds))

    def moved(self, x: Floats) -> Floats:
        """What they would be at other horizons nearby, e^x steps, along a line through all."""
        own = np.log(self.steps)
        slope = float(np.polyfit(own, self.each.mean(1), 1)[0]) if len(own) > 1 else 0.0
        return self.each + slope * (x - own)[:, None]


class Interval(NamedTuple):
    """A prediction and its 95 % interval."""

    mean: float
    low: float
    high: float


def extrapolated(bests: Bests, horizon: int, other: Bests | None = None) -> Interval:
    """ln of the loss at a horizon, or its difference from another schedule's. ::

        ln loss = a line in ln steps through the last two horizons

    Its error: the noise of the seeds, pooled over the horizons; where the best rate lies; and what a like line through
    the first two horizons misses the third by, beyond the noise.
    """
    value, x = bests.each, np.log(bests.steps)
    if other is not None:
        value = value - other.moved(x)
    mean, end = value.mean(1), np.log(horizon)
    if len(mean) < 2:
        return Interval(float(mean[-1]), -np.inf, np.inf)
    weights = np.zeros(len(mean))
    reach = (end - x[-1]) / (x[-1] - x[-2])
    weights[-1], weights[-2] = 1 + reach, -reach
    seeds, freedom = value.shape[1], (value.shape[1] - 1) * len(mean)
    if not freedom:
        return Interval(float(weights @ mean), -np.inf, np.inf)
    of_mean = float(((value - mean[:, None]) ** 2).sum() / freedom / seeds)
    noise = of_mean * float(weights @ weights)
    place = 0.0 if other is not None else float((weights * bests.sd) @ (weights * bests.sd))
    missed = FLOOR
    if len(mean) > 2:
        ratio = (x[-1] - x[-2]) / (x[-2] - x[-3])
        miss = np.array([ratio, -1 - ratio, 1.0])
        parabola = (end - x[-1]) * (end - x[-2]) / ((x[-1] - x[-2]) * (x[-1] - x[-3])) / 2
        beyond = float(miss @ mean[-3:]) ** 2 - of_mean * float(miss @ miss)  # what noise does not explain
        missed = max(FLOOR, float(np.sqrt(max(beyond, 0.0)) * parabola))
    sd = float(np.sqrt(noise + place + missed**2))
    wide = (STUDENT[freedom - 1] if freedom <= len(STUDENT) else 2.1) * sd
    at = float(weights @ mean)
    return Interval(at, at - wide, at + wide)
