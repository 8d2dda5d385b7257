"""The losses of one horizon, as the fit reads them: means over seeds, and the noise between these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import UserError
from lrsched.find.answer import Candidate
from lrsched.find.curves import Floats

BAND = 1.0
"""A loss e times the least of its horizon says only that its rate is bad."""

OCTAVE = float(np.log(2))
WIDEST = 0.3
"""The rise, of a logarithm, from which on the forms fit as they are."""

GROWTH = 0.3
"""The noise of a loss grows with rate^0.3."""

BEND = 1.6
"""Noise at rates d octaves apart correlates as ρ^(d^1.6)."""

FEW = 2.0
"""How many degrees of freedom a guess of the noise counts, before there are losses: 5 %."""


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

    def near(self, band: float = BAND) -> NDArray[np.bool_]:
        """Which rates lie within the band about the least loss."""
        mean = self.mean
        return np.isfinite(mean) & (mean <= np.min(mean, initial=np.inf) + band)


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
    """What a seed does to ln loss, in units of ``unit``.

    Args:
        variance: of one seed's loss about the mean of its rate.
        correlation: of the noise of one seed at rates a factor 2 apart: all rates see the same data.
        freedom: degrees of freedom of the variance.
        unit: the size of the rises: 1, or less where rates hardly differ.
    """

    variance: float
    correlation: float
    freedom: float
    unit: float

    @classmethod
    def of(cls, losses: Mapping[int, Losses]) -> Noise:
        """Estimate it from the residuals of all horizons; a weak guess (5 %, .7) stands for what is missing."""
        unit = _unit(losses)
        total, freedom, shared, alone = 0.0, 0.0, 0.0, 0.0
        for of in losses.values():
            near = of.near(BAND * unit)
            if of.each.shape[1] < 2 or not near.any():
                continue
            residual = (of.each[near] / of.each[near].mean(1, keepdims=True) - 1) / unit / growth(of, near)[:, None]
            total += float((residual**2).sum())
            freedom += float((of.each.shape[1] - 1) * near.sum())
            for a, b, gap in zip(residual, residual[1:], np.diff(of.x[near]), strict=False):
                size = float(np.sqrt((a @ a) * (b @ b)))
                r = float(a @ b) / size if size else 0.0
                octave = (OCTAVE / max(float(gap), 0.35)) ** BEND
                shared += size * np.sign(r) * min(abs(r) ** octave, 1.0)
                alone += size
        guess = FEW * 0.05**2
        variance = (guess + total / 2) / (FEW + freedom / 2)
        correlation = (2.8 * variance + shared) / (4 * variance + alone)
        return cls(variance, float(np.clip(correlation, 0.0, 0.97)), FEW + freedom / 2, unit)

    def covariance(self, of: Losses, near: NDArray[np.bool_], nugget: float) -> Floats:
        """Of the means of the rates near the least loss, the error of the forms (nugget) among it."""
        x, scale = of.x[near], growth(of, near)
        apart = (np.abs(x[:, None] - x) / OCTAVE) ** BEND
        noise = self.variance * np.outer(scale, scale) * self.correlation**apart / of.each.shape[1]
        return noise + nugget**2 * np.eye(len(x))


def growth(of: Losses, near: NDArray[np.bool_]) -> Floats:
    """How the standard deviation of the noise grows with the rate; 1 at the best one."""
    x = of.x[near]
    return np.exp(GROWTH * np.clip(x - x[of.mean[near].argmin()], -2, 1))


def _unit(losses: Mapping[int, Losses]) -> float:
    """How much ln loss rises over the rates of the shortest horizon, beside what the forms expect."""
    for of in losses.values():
        near = of.near()
        if near.sum() > 1:
            rise = float(np.ptp(of.mean[near]))
            return 1.0 if rise >= WIDEST else float(np.clip(rise / WIDEST, 0.01, 1.0))
    return 1.0
