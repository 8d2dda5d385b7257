"""One fit of all horizons at once: where the best rate lies at any horizon, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lrsched.finder.curves import ERROR, NOISE, UNIT, Belief, Curves, Floats, Prior, moved, step_of
from lrsched.finder.losses import BAND, Losses, Noise

COUNT, MOVES, LAST_MOVES = 2000, 4, 10
"""Explanations, and how often each moves at every temperature, and at the last one."""

SOFT = 0.8
"""What a wall adds to a loss is off by so many times itself: near it, few seeds say little about their mean."""

SHORT = 0.15
"""How far a bad rate may fall short of the band, in ln loss."""

BEYOND = 2.5
"""How far beyond the rates that were tried the valley or the wall may lie, in ln rate."""

LAG = Belief(0.11, 0.045)
"""A wall stands before where a few seeds see it, by so much in ln rate: what every seed survives for a while, one in
many does not to the end."""

STIR = 0.03
"""Where seeds differ by less, in ln loss, there is less of that: variance / (variance + .03²)."""


class Block(NamedTuple):
    """The losses of one horizon, as an explanation is judged by them.

    Args:
        z: ln of the horizon over the middle one.
        x, y: ln rate and ln loss, of the rates near the least loss.
        shape: of the covariance of y.
        bad: ln of the other rates, whose loss is at least ``band``.
    """

    z: float
    x: Floats
    y: Floats
    shape: Floats
    bad: Floats
    band: float


@dataclass(frozen=True)
class Fit:
    """Explanations of all losses, drawn as they are believed. ::

        ln loss(rate, h) = m_h + rise(ln rate, h) + noise

    The rise is that of :class:`lrsched.finder.curves.Curves`, m_h is free, the noise correlates over the rates of a
    seed. A rate whose loss lies beyond the band, or diverged, says only that the rise is at least so high there. The
    draws: sequential Monte Carlo with moves along differences of others, always with the same random numbers.

    Args:
        curves: one for each explanation.
        weight: of the explanations; they sum to 1.
        least: ln of the least loss for each, by horizon.
        middle: ln of the middle horizon.
        noise: that of the losses.
        lag: how far a wall stands before where it was seen, for each.
    """

    curves: Curves
    weight: Floats
    least: Mapping[int, Floats]
    middle: float
    noise: Noise
    lag: Floats

    @classmethod
    def of(cls, losses: Mapping[int, Losses], passes: float) -> Fit:
        """Draw explanations of some losses.

        Args:
            losses: by horizon; at least one is finite.
            passes: of the run over its data.
        """
        losses = {horizon: of for horizon, of in sorted(losses.items()) if of.near().any()}
        noise, middle = Noise.of(losses, passes), float(np.mean([np.log(horizon) for horizon in losses]))
        blocks = [_block(of, noise, float(np.log(horizon)) - middle) for horizon, of in losses.items()]
        finite = np.concatenate([of.x[np.isfinite(of.mean)] for of in losses.values()])
        low = float(finite.min())
        high = min(float(max(of.x.max() for of in losses.values())), float(finite.max()) + BEYOND / 2) + BEYOND
        prior = Prior((low - BEYOND, high), (low, high), float(1 / np.sqrt(2 * noise.freedom)), passes)
        chance = np.random.default_rng(0)
        curves = _drawn(blocks, noise, prior, chance)
        floors = _judged(curves, blocks, noise)[1]
        least = {}
        for horizon, block, floor in zip(losses, blocks, floors, strict=True):
            valley, wall = curves.rises(block.z, curves.best(block.z)[:, None])
            least[horizon] = floor + (valley + wall)[:, 0]
        lag = noise.variance / (noise.variance + STIR**2) * np.abs(LAG.mean + LAG.sd * chance.standard_normal(COUNT))
        return cls(curves, np.full(COUNT, 1 / COUNT), least, middle, noise, lag)

    @property
    def exponent(self) -> Floats:
        """Of the best rate over horizons, for each explanation: from the shortest to e times the longest."""
        shortest, longest = (float(np.log(end)) - self.middle for end in (min(self.least), np.e * max(self.least)))
        return (self.curves.best(longest) - self.curves.best(shortest)) / (longest - shortest)

    def centre(self, horizon: int, *, seen: bool = False) -> Floats:
        """ln of the best rate at a horizon, for each explanation.

        Args:
            horizon: in steps.
            seen: as a few seeds see it; otherwise as the mean of all does.
        """
        return self.curves.best(float(np.log(horizon)) - self.middle, 0.0 if seen else self.lag)

    def rises(self, horizon: int, x: Floats, *, seen: bool = True) -> Floats:
        """ln(loss / least loss) at rates e^x, for each explanation: float64[explanations, rates]."""
        z, lag = float(np.log(horizon)) - self.middle, 0.0 if seen else self.lag
        valley, wall = self.curves.rises(z, np.asarray(x), lag)
        bottom = self.curves.rises(z, self.centre(horizon, seen=seen)[:, None], lag)
        return valley + wall - bottom[0] - bottom[1]

    def wall(self, horizon: int) -> float:
        """How likely it is that the best rate there is the largest stable one."""
        before = self.centre(horizon) < self.curves.valley(float(np.log(horizon)) - self.middle) - 0.1
        return float(before @ self.weight)

    def quantiles(self, horizon: int, shares: Sequence[float], *, seen: bool = False) -> Floats:
        """Of ln best rate at a horizon."""
        return np.asarray(np.quantile(self.centre(horizon, seen=seen), shares), dtype=np.float64)

    def interval(self, horizon: int, level: float = 0.95) -> tuple[float, float]:
        """The shortest that holds ln best rate with this probability: one tail, of high rates, is the longer."""
        sorted_ = np.sort(self.centre(horizon))
        within = int(np.ceil(level * len(sorted_)))
        width = sorted_[within - 1 :] - sorted_[: len(sorted_) - within + 1]
        first = int(width.argmin())
        return float(sorted_[first]), float(sorted_[first + within - 1])

    def regret(self, horizon: int, x: Floats, most: float = 1.0, *, seen: bool = False) -> Floats:
        """The loss at rates e^x over the least, minus 1, on the average; more than ``most`` counts as that."""
        rises = self.rises(horizon, x, seen=seen)
        return np.minimum(np.expm1(np.minimum(rises, 3.0)), most).T @ self.weight

    def best(self, horizon: int, cap: float = np.inf, most: float = 1.0, *, seen: bool = False) -> float:
        """ln of the rate with the least expected regret, at most ``cap``."""
        low, high = self.quantiles(horizon, (0.005, 0.995), seen=seen)
        x = np.linspace(low - 0.3, high + 0.1, 161)
        allowed = x[x <= cap + 1e-9]
        return float(allowed[self.regret(horizon, allowed, most, seen=seen).argmin()]) if len(allowed) else cap


def _block(of: Losses, noise: Noise, z: float) -> Block:
    near = of.near()
    shape = noise.shape(of, near)
    y = of.mean[near] + noise.variance * np.diag(shape) / 2  # ln of a mean of few lies below that of the mean of all
    return Block(z, of.x[near], y, shape, of.x[~near], float(y.min()) + BAND)


def _judged(curves: Curves, blocks: Sequence[Block], noise: Noise) -> tuple[Floats, list[Floats]]:
    """The logarithm of how likely the losses are for each curve, and m_h for each, by horizon."""
    numbers = curves.numbers
    error = np.exp(2 * (numbers[:, ERROR] + np.minimum(numbers[:, UNIT], 0.0)))
    variance = noise.variance * np.exp(2 * numbers[:, NOISE])
    width = np.sqrt(SHORT**2 + variance / 3)
    likely, floors = np.zeros(len(numbers)), list[Floats]()
    for block in blocks:
        valley, wall = curves.rises(block.z, np.concatenate([block.x, block.bad]))
        near, rise = np.arange(len(block.x)), valley + wall
        covariance = variance[:, None, None] * block.shape
        covariance[:, near, near] += error[:, None] + (SOFT * wall[:, near]) ** 2
        lower = np.linalg.cholesky(covariance)
        rest = block.y - rise[:, near]
        solved = np.linalg.solve(lower, np.stack([rest, np.ones_like(rest)], -1))
        square, cross, ones = ((solved[..., a] * solved[..., b]).sum(1) for a, b in ((0, 0), (0, 1), (1, 1)))
        floor = cross / ones
        likely -= 0.5 * (square - cross * floor) + np.log(lower[:, near, near]).sum(1) + 0.5 * np.log(ones)
        lacking = np.maximum(block.band - floor[:, None] - rise[:, len(near) :], 0) / width[:, None]
        likely -= 0.5 * (lacking**2).sum(1)
        floors.append(floor)
    return likely, floors


def _drawn(blocks: Sequence[Block], noise: Noise, prior: Prior, chance: np.random.Generator) -> Curves:
    """Curves as they are believed after the losses: first as before them, then more and more so."""
    numbers = Curves.believed(4 * COUNT, prior, chance).numbers
    likely, heat = _judged(Curves(numbers), blocks, noise)[0], 0.0
    while heat < 1:
        step = step_of(likely, 1 - heat, COUNT)
        heat = 1.0 if step >= 1 - heat else heat + step
        weight = np.cumsum(np.exp(step * (likely - likely.max())))
        picked = np.searchsorted(weight, weight[-1] * (np.arange(COUNT) + chance.uniform()) / COUNT)
        picked = np.minimum(picked, len(weight) - 1)
        numbers, likely = numbers[picked], likely[picked]
        believed = Curves(numbers).density(prior)
        for _ in range(MOVES if heat < 1 else LAST_MOVES):
            there, anew = moved(numbers, prior, chance)
            new = Curves(there).density(prior)
            within = np.isfinite(new)
            value = np.full(COUNT, -np.inf)
            value[within] = _judged(Curves(there[within]), blocks, noise)[0]
            gain = np.where(anew, 0.0, new - believed)  # drawn as it is believed: that is in the draw
            taken = np.log(chance.uniform(size=COUNT)) < heat * (value - likely) + gain
            numbers = np.where(taken[:, None], there, numbers)
            likely, believed = np.where(taken, value, likely), np.where(taken, new, believed)
    return Curves(numbers)
