"""Which rates to try next at a horizon: those after which the least regret is expected at the end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from lrsched.finder.answer import rounded
from lrsched.finder.curves import ERROR, UNIT, Floats
from lrsched.finder.fit import SOFT, Fit
from lrsched.finder.losses import BAND, Losses, Noise

USUAL = 6
"""Rates at the first horizon that are paid for in full."""

CLEAR = 10
"""Up to so many, while the first or the last differs from the best by no more than seeds do: a flat curve has its best
rate anywhere, and perhaps two dips."""

NEAR, NEAR_WALL = 2.9, 1.5
"""Neighbours of the best rate at the first horizon that are further off, by this factor, have one put between them."""

APART = 0.1
"""Rates that are tried lie at least so far apart, in ln rate."""

BESIDE = 0.4, 0.8, 1.3
"""How far from where the best rate may lie others are looked at, on either side, in ln rate."""

AMONG = 0.05, 0.25, 0.5, 0.75, 0.95
"""And quantiles of it."""

AMIDST = 0.3, 0.9
"""It lies between them, in these parts of their distance in ln rate. What is worth the most by the forms may be at one
of them or beyond, and leave a gap of a factor of ten about the best rate, where the forms alone say what the loss is.
High ones may be near, since a wall may stand between."""

BETWEEN = 3
"""The third of three is looked for so many times as densely as the first two."""

EXPLANATIONS, OUTCOMES, ANSWERS = 500, 48, 41
"""Of the losses so far; losses that are drawn from them; rates that may be the answer."""

BAD = 1.5 * BAND
"""A loss that rises by more tells no more."""


def climb(known: Losses | None, start: float, most: int, passes: float) -> list[float]:
    """Rates at the first horizon that are missing: from ``start`` to one that has worse ones on either side.

    Args:
        known: of that horizon.
        start: a rate to begin with.
        most: rates there is room for.
        passes: of the run over its data.
    """
    rates = [rounded(start * factor) for factor in (0.5, 1.0, 2.0)]
    while True:
        missing = [rate for rate in rates if not has(known, rate)]
        if missing or known is None:
            return missing
        rates.sort()
        of = Losses(*(each[[_index(known, rate) for rate in rates]] for each in (known.x, known.each)))
        further = _further(rates, of.mean) or (_unclear(rates, of, passes) if len(rates) < CLEAR else None)
        if further is None or further in rates or len(rates) >= most:
            return []
        rates.append(further)


def has(known: Losses | None, rate: float) -> bool:
    """Whether a rate was tried."""
    return known is not None and abs(float(known.x[_index(known, rate)]) - np.log(rate)) < 1e-6


def _index(known: Losses, rate: float) -> int:
    return int(np.abs(known.x - np.log(rate)).argmin())


def _further(rates: Sequence[float], mean: Floats) -> float | None:
    """The rate to try next at the first horizon. None: two to the left of the best one and one to the right are there,
    none of its neighbours is far, and one beyond which losses soar is near."""
    best, factor = int(mean.argmin()), 4 if len(rates) >= USUAL else 2
    if not np.isfinite(mean[best]):
        return rounded(rates[0] / 8)
    if best == len(rates) - 1:
        return rounded(rates[-1] * factor)
    soars = not mean[best + 1] < mean[best] + BAND
    if rates[best + 1] / rates[best] > (NEAR_WALL if soars else NEAR):
        return rounded((rates[best] * rates[best + 1]) ** 0.5)
    if best < (1 if len(rates) >= USUAL else 2):
        return rounded(rates[0] / factor)
    return rounded((rates[best] * rates[best - 1]) ** 0.5) if rates[best] / rates[best - 1] > NEAR else None


def _unclear(rates: Sequence[float], of: Losses, passes: float) -> float | None:
    """The rate to try next at the first horizon, beyond an end that is not clearly worse than the best one."""
    alike, factor = Noise.of({0: of}, passes).alike(of), 4 if len(rates) >= USUAL else 2
    if alike[-1]:
        return rounded(rates[-1] * factor)
    return rounded(rates[0] / factor) if alike[0] else None


class Worth:
    """What more losses at a horizon are worth. ::

        E over these losses of  min over answers of  E[regret at the end | losses so far, and these]

    Every explanation says what the losses will be; those that are drawn from one weigh all of them anew.

    Args:
        fit: of the losses so far.
        horizon: where rates are tried.
        end: that of the run.
        seeds: of each rate.
        most: regret of more counts as that.
        far: how far from where the best rate may lie others are looked at, in ln rate.
    """

    def __init__(self, fit: Fit, horizon: int, end: int, seeds: int, most: float, far: float = BESIDE[-1]) -> None:
        self.fit, self.horizon, self.seeds = fit, horizon, seeds
        low, high = fit.quantiles(end, (0.002, 0.998))
        self.some = slice(None, None, max(1, len(fit.weight) // EXPLANATIONS))
        rises = fit.rises(end, np.linspace(low - 0.3, high + 0.1, ANSWERS), seen=False)[self.some]
        self.regret = np.minimum(np.expm1(np.minimum(rises, 3.0)), most)
        among = fit.quantiles(horizon, AMONG, seen=True)
        beside = np.array([each for each in BESIDE if each <= far])
        self.x = _spaced(np.concatenate([among[0] - beside[::-1], among, among[-1] + beside]))
        numbers = fit.curves.numbers[self.some]
        self.error = np.exp(2 * (numbers[:, ERROR] + np.minimum(numbers[:, UNIT], 0.0)))
        chance = np.random.default_rng(1)
        self.drawn = chance.permutation(len(numbers))[:OUTCOMES]
        self.normal = chance.standard_normal((2, OUTCOMES))

    def outer(self) -> tuple[float, float]:
        """The outer two of the three that are worth the most together, where none was tried."""
        x = self.x
        (rise, lack), noise = self._rises(x), self.fit.noise.covariance(x, float(np.median(x)), self.seeds)

        def worth(three: tuple[int, ...]) -> float:
            a, *others = three
            mean = [rise[:, b] - rise[:, a] for b in others]
            own = [noise[a, a] + noise[b, b] - 2 * noise[a, b] + lack[:, a] + lack[:, b] for b in others]
            b, c = others
            both = noise[a, a] + noise[b, c] - noise[a, b] - noise[a, c] + lack[:, a]
            likely, off = self._likely(mean[0], own[0])
            return self._regret(likely + self._second(mean[1], own[1], both / np.sqrt(own[0]), off))

        best = min(combinations(range(len(x)), 3), key=worth)
        return float(x[best[0]]), float(x[best[2]])

    def one(self, known: Losses) -> float:
        """One more, after some."""
        near = known.near()
        fine = np.interp(np.arange(0, len(self.x) - 1 + 1e-9, 1 / BETWEEN), np.arange(len(self.x)), self.x)
        x = fine[np.abs(fine[:, None] - known.x).min(1) > APART]
        low, high = (known.x[0] + part * (known.x[-1] - known.x[0]) for part in AMIDST)
        amidst = (x > low) & (x < high)
        x = x[amidst] if amidst.any() else x
        if not near.any():
            return min(float(x[0]), float(known.x.min()) - BESIDE[1])
        every, count = np.concatenate([known.x[near], x]), int(near.sum())
        rise, lack = self._rises(every)
        noise = self.fit.noise.covariance(every, float(known.x[known.mean.argmin()]), self.seeds)
        inverse = np.linalg.inv(noise[:count, :count] + float(np.median(self.error)) * np.eye(count))
        ones = inverse.sum(0)
        rest = known.mean[near] - rise[:, :count]
        floor = rest @ ones / ones.sum()

        def worth(place: int) -> float:
            along = inverse @ noise[:count, place]
            mean = floor + rise[:, place] + (rest - floor[:, None]) @ along
            own = noise[place, place] - noise[:count, place] @ along + (1 - along.sum()) ** 2 / ones.sum()
            return self._regret(self._likely(mean, own + lack[:, place])[0])

        return float(every[min(range(count, len(every)), key=worth)])

    def _rises(self, x: Floats) -> tuple[Floats, Floats]:
        """Of each explanation, as few seeds see them, and the variance of what the forms lack."""
        wall = self.fit.curves.rises(float(np.log(self.horizon)) - self.fit.middle, x)[1][self.some]
        rise = np.minimum(self.fit.rises(self.horizon, x)[self.some], BAD)
        return rise, self.error[:, None] + (SOFT * np.minimum(wall, BAD)) ** 2

    def _likely(self, mean: Floats, own: Floats) -> tuple[Floats, Floats]:
        """The logarithm of how likely a number is that is normal for each explanation, as each draw says it, and by how
        many standard deviations it is off: float64[draws, explanations]."""
        root = np.sqrt(own)
        off = ((mean[self.drawn] + root[self.drawn] * self.normal[0])[:, None] - mean) / root
        return -0.5 * off**2 - np.log(root), off

    def _second(self, mean: Floats, own: Floats, slope: Floats, off: Floats) -> Floats:
        """The same of another, after one that was so far off; ``slope``: by what that moves it."""
        root = np.sqrt(np.maximum(own - slope**2, 1e-12))
        value = mean[self.drawn] + slope[self.drawn] * self.normal[0] + root[self.drawn] * self.normal[1]
        return -0.5 * ((value[:, None] - mean - slope * off) / root) ** 2 - np.log(root)

    def _regret(self, likely: Floats) -> float:
        """Expected at the end, if the answer is the best one after each draw."""
        weight = np.exp(likely - likely.max(1, keepdims=True))
        weight /= weight.sum(1, keepdims=True)
        return float((weight @ self.regret).min(1).mean())


def _spaced(x: Floats) -> Floats:
    """Those that are not too close to one before."""
    kept = [float(x[0])]
    for each in x[1:]:
        if each - kept[-1] > APART:
            kept.append(float(each))
    return np.array(kept)
