"""What a run will come to at its best rate, from what short runs came to at theirs; which of several schedules wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lrsched.find.answer import Candidate
from lrsched.find.curves import Floats
from lrsched.find.fit import Fit
from lrsched.find.losses import by_horizon

FLOOR = 0.005
"""The least error of a prediction that is believed, of ln loss."""

PACES = (0.03, 0.06, 0.12, 0.25)
"""τ: by how much the gap between two schedules may change while the run becomes e times as long, in ln loss."""

BENDS = 8.0
"""τ is so many times what that change itself may change by."""

ANY = 10.0
"""The standard deviation of a gap of which nothing is known."""

SHARED = 6.0
"""Degrees of freedom that the noise of all pairs counts in that of each."""

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


class Place(NamedTuple):
    """A schedule in a ranking.

    Args:
        number: of the schedule.
        predicted: its loss, with a 95 % interval.
        behind: its paired difference from the first one, in percent of that one's loss; None: it is the first.
        spread: of that difference, one seed's standard deviation in percent.
    """

    number: int
    predicted: Interval
    behind: Interval | None
    spread: float


def ranked(bests: Sequence[Bests], horizon: int) -> list[Place]:
    """Order schedules by the loss that is predicted for them at a horizon, the best first.

    A schedule is behind the first if the interval of their paired difference lies above 0. These intervals hold
    together: each is one of 95 % by Bonferroni's correction for their number.
    """
    alone = [extrapolated(each, horizon) for each in bests]
    gaps = Gaps.of(bests, horizon)
    level = sum(each.mean for each in alone) / len(bests)
    mean = level + gaps.mean.mean(1)
    order = np.argsort(mean, kind="stable").tolist()
    places = []
    for number in order:
        moved = mean[number] - alone[number].mean
        predicted = Interval(*(_exp(end + moved) for end in alone[number]))
        behind = None if number == order[0] else gaps.between(number, order[0])
        shown = None if behind is None else Interval(*(100 * (_exp(end) - 1) for end in behind))
        places.append(Place(number, predicted, shown, 100 * float(gaps.seed[number, order[0]])))
    return places


@dataclass(frozen=True)
class Gaps:
    """How ln loss differs between schedules at a horizon, from the paired differences at shorter ones. ::

        D(h) = a + b·z + c·z²/2 + noise      z = ln(h / horizon)

    a is free. A gap changes slowly over horizons: b ~ N(0, τ²), c ~ N(0, (τ/8)²), and the likelihood of all differences
    weighs values of τ, so that horizons which a straight line misses widen the intervals. The noise: that of the seeds,
    whose common part a paired difference does not have, and where the best rates lie.

    Args:
        mean: of a, float64[schedules, schedules]: by how much the first is worse than the second.
        sd: of a.
        freedom: degrees of freedom of the noise.
        seed: the standard deviation of a seed's difference; inf where one seed does not tell.
    """

    mean: Floats
    sd: Floats
    freedom: float
    seed: Floats

    @classmethod
    def of(cls, bests: Sequence[Bests], horizon: int) -> Gaps:
        """Weigh what is known of all pairs."""
        pairs = list(combinations(range(len(bests)), 2))
        seeds, horizons = bests[0].each.shape[1], len(bests[0].steps)
        differences = [bests[one].each - bests[other].moved(np.log(bests[one].steps)) for one, other in pairs]
        own = np.array([d.var(1, ddof=1).mean() if seeds > 1 else 1.0 for d in differences])
        freedom = (seeds - 1) * horizons
        variance = (freedom * own + SHARED * own.mean()) / (freedom + SHARED)
        shape = (len(bests), len(bests))
        mean, sd, seed = np.zeros(shape), np.full(shape, np.inf), np.full(shape, np.inf)
        belief, found = np.zeros(len(PACES)), []
        for (one, other), difference, of_seed in zip(pairs, differences, variance, strict=True):
            noise = of_seed / seeds + bests[one].sd ** 2 + bests[other].sd ** 2 + FLOOR**2
            z = np.log(bests[one].steps / horizon)
            values = [_at_end(difference.mean(1), z, noise, pace) for pace in PACES]
            belief += np.array([value[2] for value in values])
            found.append(values)
        weight = np.exp(belief - belief.max())
        weight /= weight.sum()
        for (one, other), values, of_seed in zip(pairs, found, variance, strict=True):
            at, var = (np.array([value[place] for value in values]) for place in (0, 1))
            middle = float(weight @ at)
            spread = float(np.sqrt(weight @ (var + (at - middle) ** 2)))
            mean[one, other], mean[other, one] = middle, -middle
            sd[one, other] = sd[other, one] = spread
            seed[one, other] = seed[other, one] = np.sqrt(of_seed) if seeds > 1 else np.inf
        return cls(mean, sd, freedom + SHARED, seed)

    def between(self, one: int, other: int) -> Interval:
        """The difference of two, ln loss."""
        if not np.isfinite(self.seed[one, other]):
            return Interval(float(self.mean[one, other]), -np.inf, np.inf)
        wide = student(0.05 / (len(self.mean) - 1), self.freedom) * self.sd[one, other]
        at = float(self.mean[one, other])
        return Interval(at, at - wide, at + wide)


def _at_end(mean: Floats, z: Floats, noise: Floats, pace: float) -> tuple[float, float, float]:
    """Mean and variance of a difference at z = 0, and the logarithm of the likelihood."""
    forms = np.stack([np.ones_like(z), z, z**2 / 2])
    prior = np.diag([ANY**2, pace**2, (pace / BENDS) ** 2])
    across = prior[0] @ forms
    covariance = forms.T @ prior @ forms + np.diag(noise)
    solved = np.linalg.solve(covariance, np.stack([mean, across], axis=1))
    likelihood = -0.5 * (mean @ solved[:, 0] + np.linalg.slogdet(covariance)[1])
    return float(across @ solved[:, 0]), float(prior[0, 0] - across @ solved[:, 1]), float(likelihood)


def student(tail: float, freedom: float) -> float:
    """Student's t beyond which ``tail`` lies on both sides together, by its expansion about the normal distribution.

    >>> round(student(0.05, 12), 2), round(student(0.05, 1e9), 2)
    (2.18, 1.96)
    """
    z = NormalDist().inv_cdf(1 - tail / 2)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _exp(value: float) -> float:
    return float(np.exp(min(value, 700.0)))


def measured(losses: Sequence[Sequence[float]], sign: int) -> list[Place]:
    """Order schedules by what whole runs came to, with the same seeds.

    Args:
        losses: of each schedule, one for each seed.
        sign: 1 if less is better, −1 if more is.
    """
    values = np.array(losses, dtype=np.float64)
    order = np.argsort(sign * values.mean(1), kind="stable").tolist()
    first, places = values[order[0]], list[Place]()
    for number in order:
        gap = sign * (values[number] - first) / (abs(first.mean()) or 1.0)
        tail = 0.05 / max(1, len(losses) - 1)
        behind = None if number == order[0] else _of_mean(100 * gap, tail)
        spread = 100 * float(gap.std(ddof=1)) if len(gap) > 1 else np.inf
        places.append(Place(number, _of_mean(values[number], 0.05), behind, spread))
    return places


def _of_mean(values: Floats, tail: float) -> Interval:
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, -np.inf, np.inf)
    wide = student(tail, len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    return Interval(mean, mean - wide, mean + wide)
