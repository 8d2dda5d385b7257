"""Which of several schedules wins: short runs of all, and their paired differences carried on to the run's length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import pi, sqrt, tan
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lrsched.finder.answer import Candidate
from lrsched.finder.curves import Floats
from lrsched.finder.losses import by_horizon
from lrsched.finder.plan import Ask, Plan
from lrsched.finder.predict import FLOOR, Bests, Interval, extrapolated

PACES = {0.03: 0.5, 0.06: 0.3, 0.12: 0.15, 0.25: 0.05}
"""τ, by how much the gap between two schedules may change while the run becomes e times as long, in ln loss; and how
likely it is before there are losses."""

BENDS = 8.0
"""τ is so many times what that change itself may change by."""

ANY = 10.0
"""The standard deviation of a gap of which nothing is known."""

SHARED = 6.0
"""Degrees of freedom that the noise of all pairs counts in that of each."""


@dataclass(frozen=True)
class Contest:
    """A plan for each schedule, by name.

    The later horizons begin when every schedule has the rates of the first one, and are of the same lengths for all:
    those of the schedule that tried most.
    """

    plans: Mapping[str, Plan]

    def next(self, trials: Mapping[str, Sequence[Candidate]]) -> dict[str, list[Ask]]:
        """The runs of each schedule that are missing before the next decision; empty: all are made.

        Raises:
            UserError: a loss is not above 0.
        """
        known = {name: by_horizon(trials[name], plan.seeds).get(plan.first) for name, plan in self.plans.items()}
        first = {name: plan.climb(known[name]) for name, plan in self.plans.items()}
        if any(first.values()):
            return {name: asks for name, asks in first.items() if asks}
        most = max(len(of.x) for of in known.values() if of is not None)
        later = {name: replace(plan, tried=most).next(trials[name]) for name, plan in self.plans.items()}
        return {name: asks for name, asks in later.items() if asks}


class Place(NamedTuple):
    """A schedule in a ranking.

    Args:
        number: of the schedule.
        predicted: its loss, with a 95 % interval.
        behind: its paired difference from the first one, in percent of that one's loss, with an interval that is one of
            all others'; None: it is the first.
        spread: of that difference, one seed's standard deviation in percent.
    """

    number: int
    predicted: Interval
    behind: Interval | None
    spread: float


def ranked(bests: Sequence[Bests], horizon: int) -> list[Place]:
    """Order schedules by the loss that is predicted for them at a horizon, the best first.

    A schedule is behind the first if the interval of their paired difference lies above 0. These intervals hold for all
    k − 1 others together (Bonferroni: 1 − .05/(k − 1) each), and so does "the first one is the best": who says so of
    another one than the best has found it better than the best, which is in k − 1 of the comparisons, whoever is first.
    Holm's steps would gain nothing: the verdict needs the largest p of all.
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
        belief, found = np.log(list(PACES.values())), []
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
        """The difference of two, ln loss; its interval is one of as many as there are others."""
        if not np.isfinite(self.seed[one, other]):
            return Interval(float(self.mean[one, other]), -np.inf, np.inf)
        wide = student(0.05 / max(1, len(self.mean) - 1), self.freedom) * self.sd[one, other]
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

    For one and two degrees of freedom, where that is too small, by their closed forms.

    >>> [round(student(0.05, freedom), 2) for freedom in (12, 1e9, 1, 2)]
    [2.18, 1.96, 12.71, 4.3]
    """
    if freedom == 1:
        return 1 / tan(pi * tail / 2)
    if freedom == 2:
        return (1 - tail) * sqrt(2 / (tail * (2 - tail)))
    z = NormalDist().inv_cdf(1 - tail / 2)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _exp(value: float) -> float:
    return float(np.exp(min(value, 700.0)))


def measured(losses: Sequence[Sequence[float]], sign: int) -> list[Place]:
    """Order schedules by what whole runs came to, with the same seeds; who is behind the first, as in :func:`ranked`.

    Args:
        losses: of each schedule, one for each seed.
        sign: 1 if less is better, −1 if more is.
    """
    values = np.array(losses, dtype=np.float64)
    order = np.argsort(sign * values.mean(1), kind="stable").tolist()
    first, places = values[order[0]], list[Place]()
    for number in order:
        gap = sign * (values[number] - first) / (abs(first.mean()) or 1.0)
        behind = None if number == order[0] else _of_mean(100 * gap, 0.05 / (len(losses) - 1))
        spread = 100 * float(gap.std(ddof=1)) if len(gap) > 1 else np.inf
        places.append(Place(number, _of_mean(values[number]), behind, spread))
    return places


def _of_mean(values: Floats, tail: float = 0.05) -> Interval:
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, -np.inf, np.inf)
    wide = student(tail, len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    return Interval(mean, mean - wide, mean + wide)
