"""The losses of one horizon, as the fit reads them: means over seeds, and the noise between these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import UserError
from lrsched.finder.answer import Candidate
from lrsched.finder.curves import Belief, Floats, novelty

BAND = 1.0
"""A loss e times the least of its horizon says only that its rate is bad."""

OCTAVE = float(np.log(2))

GROWTH = 0.4
"""The noise of a loss grows with rate^0.4."""

BEND = 1.6
"""Noise at rates d octaves apart correlates as ρ^(d^1.6)."""

RHOS = np.linspace(0.0, 0.97, 98)
"""Values of ρ."""

NEW, KNOWN = Belief(0.7, 0.2), Belief(0.5, 0.2)
"""What is believed of ρ where each sample is seen once (measured: .8 of a regression, whose rates all end on the same
samples; .2 to .4 of a language model), and where samples are seen again and again (networks: .3 to .75)."""

USUAL, FULL = 0.05, 0.3
"""A guess of the noise, 5 %, where losses rise by .3 or more in ln; less where they rise by less."""

FEW, SHARE = 0.2, 0.6
"""How many degrees of freedom the guess counts; and how many each one of a rate, since rates of a seed go together."""

STEADY = 0.4
"""Beyond the best rate, losses that rise by more are near a wall: what seeds differ by there is not the noise."""

OUTLYING = 6.0
"""A rate's variance counts at most so many times the median."""


@dataclass(frozen=True)
class Losses:
    """Losses at one horizon, rates ascending.

    Args:
        x: ln rate, float64[rates].
        each: of every seed, float64[rates, seeds]; what is not finite diverged.
    """

    x: Floats
    each: Floats

    @property
    def mean(self) -> Floats:
        """ln of the mean over the seeds; inf where one diverged."""
        finite = np.isfinite(self.each).all(1)
        return np.where(finite, np.log(np.where(finite, self.each.mean(1), 1.0)), np.inf)

    @property
    def edge(self) -> Literal["low", "high"] | None:
        """Whether the best rate is the lowest or the highest one."""
        best = int(self.mean.argmin())
        if best == 0:
            return "low"
        return "high" if best == len(self.x) - 1 else None

    def near(self, band: float = BAND) -> NDArray[np.bool_]:
        """Which rates lie within the band about the least loss."""
        mean = self.mean
        return np.isfinite(mean) & (mean <= np.min(mean, initial=np.inf) + band)

    def steady(self) -> NDArray[np.bool_]:
        """Those of them that are not near a wall beyond the best one."""
        beyond = np.arange(len(self.x)) > self.mean.argmin()
        return self.near() & (~beyond | self.near(STEADY))

    def growth(self, near: NDArray[np.bool_]) -> Floats:
        """How the standard deviation of the noise grows with the rate; 1 at the best one."""
        return grown(self.x[near], float(self.x[self.mean.argmin()]))


def grown(x: Floats, best: float) -> Floats:
    """The standard deviation of the noise at rates e^x over that at the best one."""
    return np.asarray(np.exp(GROWTH * np.clip(x - best, -2, 1)))


def by_horizon(trials: Sequence[Candidate], seeds: Sequence[int]) -> dict[int, Losses]:
    """Sort what is known by horizon; a rate counts when all seeds have trained with it.

    Raises:
        UserError: a loss is not above 0.
    """
    found: dict[int, dict[float, dict[int, float]]] = {}
    for trial in trials:
        if np.isfinite(trial.loss) and trial.loss <= 0:
            raise UserError(f"a loss of {trial.loss:g} cannot be fitted: find.method=horizon wants losses above 0")
        found.setdefault(trial.horizon, {}).setdefault(trial.lr, {})[trial.seed] = trial.loss
    sorted_ = {}
    for horizon, rates in sorted(found.items()):
        whole = {rate: [of[seed] for seed in seeds] for rate, of in sorted(rates.items()) if set(seeds) <= set(of)}
        if whole:
            each = np.array(list(whole.values()), dtype=np.float64)
            sorted_[horizon] = Losses(np.log(np.array(list(whole))), np.where(np.isfinite(each), each, np.inf))
    return sorted_


@dataclass(frozen=True)
class Noise:
    """What a seed does to ln loss.

    Args:
        variance: of one seed's ln loss about the mean of its rate, at the best one.
        correlation: of the noise of one seed at rates a factor 2 apart: all rates see the same data.
        freedom: degrees of freedom of the variance.
    """

    variance: float
    correlation: float
    freedom: float

    @classmethod
    def of(cls, losses: Mapping[int, Losses], passes: float) -> Noise:
        """Estimate it from the residuals of all horizons, in a run of so many passes over its data.

        A weak guess stands for what is missing: 5 %, and for ρ what is believed of it.
        """
        rise, squares, own = 0.0, list[float](), 1
        new = novelty(passes)
        likely = Belief(*(new * one + (1 - new) * many for one, many in zip(NEW, KNOWN, strict=True))).density(RHOS)
        for of in losses.values():
            near, own = of.steady(), of.each.shape[1] - 1
            if not near.any():
                continue
            rise = max(rise, float(np.ptp(of.mean[near])))
            if not own:
                continue
            seeds = np.log(of.each[near])
            residual = (seeds - seeds.mean(1, keepdims=True)) / of.growth(near)[:, None]
            squares += ((residual**2).sum(1) / own).tolist()
            likely += _likely(of.x[near], residual, own)
        weight = np.exp(likely - likely.max())
        correlation = float(RHOS @ weight / weight.sum())
        guess = (USUAL * float(np.clip(rise / FULL, 0.01, 1.0))) ** 2
        if not squares:
            return cls(guess, correlation, 2 * FEW)
        freedom = 0.5 * SHARE * own * len(squares)
        mean = float(np.minimum(squares, OUTLYING * np.median(squares)).mean())
        return cls((FEW * guess + freedom * mean) / (FEW + freedom), correlation, FEW + freedom)

    def shape(self, of: Losses, near: NDArray[np.bool_]) -> Floats:
        """The covariance of the means of these rates, over the variance of one seed."""
        x, scale = of.x[near], of.growth(near)
        apart = (np.abs(x[:, None] - x) / OCTAVE) ** BEND
        return np.outer(scale, scale) * self.correlation**apart / of.each.shape[1]

    def covariance(self, x: Floats, best: float, seeds: int) -> Floats:
        """Of the means of so many seeds at rates e^x, the best one being e^best."""
        apart = (np.abs(x[:, None] - x) / OCTAVE) ** BEND
        scale = grown(x, best)
        return np.asarray(self.variance * np.outer(scale, scale) * self.correlation**apart / seeds)

    def alike(self, of: Losses) -> NDArray[np.bool_]:
        """Which losses lie within two standard errors of their difference from the least."""
        near, best = of.near(), int(of.mean.argmin())
        shape = self.shape(of, np.ones_like(near))
        variance = np.diag(shape) + shape[best, best] - 2 * shape[best]
        within = 2 * np.sqrt(self.variance * np.maximum(variance, 0.0))
        return near & (of.mean <= of.mean[best] + within)


def _likely(x: Floats, residual: Floats, own: int) -> Floats:
    """The logarithm of how likely the residuals of a horizon are for each of :data:`RHOS`, whatever their size."""
    apart = (np.abs(x[:, None] - x) / OCTAVE) ** BEND
    shape = RHOS[:, None, None] ** apart + 1e-3 * np.eye(len(x))
    size = np.trace(np.linalg.solve(shape, residual @ residual.T), axis1=1, axis2=2)
    count = residual.shape[0] * own
    return -0.5 * (own * np.linalg.slogdet(shape)[1] + count * np.log(size + 1e-12))
