"""Curves that the loss may follow over rates and horizons: a valley that moves, and a wall that stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Belief(NamedTuple):
    """What is believed of a number before there are losses: a normal distribution."""

    mean: float
    sd: float

    def density(self, value: Floats) -> Floats:
        """Its logarithm."""
        return -0.5 * ((value - self.mean) / self.sd) ** 2 - np.log(self.sd)


class Kind(NamedTuple):
    """What is believed of how a valley changes with the horizon.

    Args:
        exponent: q in best rate ∝ horizon^q.
        growth: g in slope of the left arm ∝ horizon^g.
    """

    exponent: Belief
    growth: Belief

    def density(self, numbers: Floats, share: float) -> Floats:
        """The logarithm of the density, times how likely it is."""
        of = self.exponent.density(numbers[:, EXPONENT]) + self.growth.density(numbers[:, GROWTH])
        return of + np.log(share)


ALIKE = Kind(Belief(-0.38, 0.12), Belief(0.0, 0.1))
"""Curves of all horizons look alike, as those of power laws do. q: −.32 measured over lengths of training,
https://arxiv.org/abs/2409.19913, −.33 and −.40 of regressions, https://arxiv.org/abs/2602.04774; −.5 is the convex
worst case, https://arxiv.org/abs/2501.18965."""

FLATTER = Kind(Belief(-0.05, 0.35), Belief(-0.6, 0.35))
"""The longer the run, the less a low rate harms, since the loss comes near what it can be brought to: so do networks
on small data, whose best rate hardly moves, falls as 1/h where they overfit, or rises: −1 to .5 on six of them. One
slope for all horizons would take the little that is left of it in long runs for the bottom of the valley, and place the
best rate much too low."""

ONCE, OFTEN, MANY = 0.9, 0.3, 10.0
"""How likely curves are alike in a run that sees its data once, and in one that sees them so many times or more: the
laws above are of samples that are always new; who sees few of them again and again comes near what they give."""

HARD, SHARE = Kind(Belief(-0.03, 0.08), Belief(0.1, 0.2)), 0.7
"""Where the valley lies beyond the wall this may be so, too, with this probability: in a hard problem the largest
stable rate is the best one at any horizon, https://arxiv.org/abs/2602.06797."""

OF_WALLS = Belief(2.5, 1.5)
"""D: twice the ln amplification at which a wall is seen. It grows by h·κ·(x − x₁)² where the rate decays, since only
the part of the run above what is stable amplifies: so a wall stands at x₁ + D/S, S = √(2·D·h·κ), and x₁ does not move.
2 to 4 for linear and cosine decay of a regression's expected loss; 0 where the rate stays at its peak."""

ARMS = Belief(np.log(1.0), 0.5), Belief(np.log(0.6), 0.8)
"""ln of the slope of either arm, the left one's at the middle horizon, in that unit."""

STEEP = Belief(3.0, 0.8)
"""ln of a wall's steepness at the middle horizon."""

STEEPER = 0.5
"""It grows with horizon^0.5: what is unstable grows with every update, and sets in with the square of x − x₁."""

UNITS = Belief(-0.4, 0.9)
"""ln of the size of all rises: 1 for a regression, .05 for a language model."""

ERRORS = Belief(np.log(0.03), 0.6)
"""ln of the error of the forms, in that unit: no curve is one of ours."""

LEFT, RIGHT, PLACE, EXPONENT, WALL, STEEPNESS, NEEDED, UNIT, GROWTH, ERROR, NOISE = range(11)
"""Columns of the numbers of a curve."""

COLUMNS = 11
ANEW = 0.3
"""Of the moves that an explanation may make, so many are to another q and g."""

HIGHEST = 3.0
"""A wall higher than e³ counts as that."""


def novelty(passes: float) -> float:
    """1 for a run that sees its data once at most, 0 for one that sees them :data:`MANY` times or more.

    >>> [round(novelty(passes), 2) for passes in (0.1, 1, 10**0.5, 10, 1000)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """
    return 1 - float(np.clip(np.log(passes) / np.log(MANY), 0, 1))


class Prior(NamedTuple):
    """What is believed of a problem before there are losses.

    Args:
        valley: where it may lie at the middle horizon, in ln rate: anywhere between two ends.
        wall: the same.
        noise: standard deviation of ln noise over what was estimated.
        passes: of the run over its data.
    """

    valley: tuple[float, float]
    wall: tuple[float, float]
    noise: float
    passes: float = 1.0

    @property
    def alike(self) -> float:
        """How likely it is that the curves of all horizons look alike: less, the more often the data are seen.

        >>> [round(Prior((0, 1), (0, 1), 0.1, passes).alike, 2) for passes in (0.1, 1, 10**0.5, 10, 1000)]
        [0.9, 0.9, 0.6, 0.3, 0.3]
        """
        return OFTEN + (ONCE - OFTEN) * novelty(self.passes)

    @property
    def plain(self) -> dict[int, Belief]:
        """Of the numbers that have one normal distribution, by column."""
        of = {LEFT: ARMS[0], RIGHT: ARMS[1], STEEPNESS: STEEP, NEEDED: OF_WALLS, UNIT: UNITS, ERROR: ERRORS}
        return {**of, NOISE: Belief(0.0, self.noise)}


@dataclass(frozen=True)
class Curves:
    """Curves of ln(loss) over x = ln rate, at horizon h. ::

        rise    u·valley(x − c − q·z) + e^(S·(x − w − D/S + D/S₀))   z = ln(h / middle), S = S₀·e^(z/2), a = α·e^(g·z)
        valley  ln(e^(−ad)/a + e^(γd)/γ) − ln(1/a + 1/γ)             falls with slope a, rises with γ, least at d = 0

    The best rate is at the bottom of the valley, or before the wall where that comes first.

    Args:
        numbers: of each curve, float64[curves, 11]: ln α, ln γ, c, q, w, ln S₀, D, ln u, g; then ln of the error of
            the forms, and ln of the noise over what was estimated.
    """

    numbers: Floats

    @classmethod
    def believed(cls, count: int, prior: Prior, chance: np.random.Generator) -> Curves:
        """Draw so many curves before there are losses."""
        numbers = chance.standard_normal((count, COLUMNS))
        for column, belief in prior.plain.items():
            numbers[:, column] = belief.mean + belief.sd * numbers[:, column]
        numbers[:, PLACE] = chance.uniform(*prior.valley, count)
        numbers[:, WALL] = chance.uniform(*prior.wall, count)
        return cls(_changing(numbers, prior, chance))

    def density(self, prior: Prior) -> Floats:
        """The logarithm of how much each is believed before there are losses; −inf: not at all."""
        n = self.numbers
        easy = np.logaddexp(ALIKE.density(n, prior.alike), FLATTER.density(n, 1 - prior.alike))
        hard = np.logaddexp(np.log(1 - SHARE) + easy, HARD.density(n, SHARE))
        sum_ = np.where(n[:, PLACE] > n[:, WALL], hard, easy)
        for column, belief in prior.plain.items():
            sum_ = sum_ + belief.density(n[:, column])
        within = np.ones(len(n), dtype=bool)
        for column, (low, high) in ((PLACE, prior.valley), (WALL, prior.wall)):
            within &= (n[:, column] > low) & (n[:, column] < high)
        return np.where(within, sum_, -np.inf)

    def valley(self, z: float) -> Floats:
        """Where it is least, at a horizon e^z times the middle one."""
        return self.numbers[:, PLACE] + self.numbers[:, EXPONENT] * z

    def arms(self, z: float) -> tuple[Floats, Floats, Floats]:
        """a, γ and u."""
        left, right, unit = np.exp(self.numbers[:, [LEFT, RIGHT, UNIT]]).T
        return left * np.exp(self.numbers[:, GROWTH] * z), right, unit

    def wall(self, z: float, lag: Floats | float = 0.0) -> tuple[Floats, Floats]:
        """Where it stands, ``lag`` before where it seems to, and how steep it is."""
        n = self.numbers
        first, grown = np.exp(n[:, STEEPNESS]), np.exp(STEEPER * z)
        return n[:, WALL] + n[:, NEEDED] / first * (1 / grown - 1) - lag, first * grown

    def rises(self, z: float, x: Floats, lag: Floats | float = 0.0) -> tuple[Floats, Floats]:
        """The rise in the valley, and before the wall, at rates e^x: float64[curves, rates].

        Args:
            z: ln of the horizon over the middle one.
            x: float64[rates], or float64[curves, rates].
            lag: as of :meth:`wall`.
        """
        left, right, unit = (each[:, None] for each in self.arms(z))
        place, steep = self.wall(z, lag)
        wall = np.exp(np.minimum(steep[:, None] * (x - place[:, None]), HIGHEST))
        d = x - self.valley(z)[:, None]
        arms = np.logaddexp(-left * d - np.log(left), right * d - np.log(right))
        return unit * (arms - np.log(1 / left + 1 / right)), wall

    def best(self, z: float, lag: Floats | float = 0.0) -> Floats:
        """ln of each one's best rate, by bisection: a curve is convex."""
        left, right, unit = self.arms(z)
        bottom, (place, steep) = self.valley(z), self.wall(z, lag)
        low, high = np.minimum(bottom, place) - 4.0, bottom
        for _ in range(28):
            x = 0.5 * (low + high)
            d = np.clip((left + right) * (x - bottom) + np.log(left / right), -60, 60)
            arms = (right - left * np.exp(-d)) / (1 + np.exp(-d))
            falls = unit * arms + steep * np.exp(np.minimum(steep * (x - place), 30.0)) < 0
            low, high = np.where(falls, x, low), np.where(falls, high, x)
        return np.asarray(0.5 * (low + high))


def step_of(likely: Floats, most: float, count: int) -> float:
    """How far the losses may count more at once, so that ``count`` / 2 of them still count."""
    low, high = 0.0, most
    for step in [most, *[0.0] * 30]:
        step = step or 0.5 * (low + high)
        weight = np.exp(step * (likely - likely.max()))
        if weight.sum() ** 2 / (weight**2).sum() < count / 2:
            high = step
        else:
            low = step
        if low == most:
            break
    return low


def _changing(numbers: Floats, prior: Prior, chance: np.random.Generator) -> Floats:
    """The same with q and g drawn anew, as they are believed where the valley and the wall lie as they do."""
    count, numbers = len(numbers), numbers.copy()
    hard = (numbers[:, PLACE] > numbers[:, WALL]) & (chance.uniform(size=count) < SHARE)
    alike = chance.uniform(size=count) < prior.alike
    for column in (EXPONENT, GROWTH):
        kinds = [kind.exponent if column == EXPONENT else kind.growth for kind in (HARD, ALIKE, FLATTER)]
        mean, sd = np.select([hard[:, None], alike[:, None]], kinds[:2], kinds[2]).T
        numbers[:, column] = mean + sd * chance.standard_normal(count)
    return numbers


def moved(numbers: Floats, prior: Prior, chance: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Where each may move: along the difference of two others, in some of its numbers; or to another q and g.

    What is believed of these has several peaks, between which small steps seldom lead.

    Returns:
        The numbers, and which of them have another q and g, drawn as these are believed.
    """
    one, other = chance.integers(0, len(numbers), (2, len(numbers)))
    usual = chance.uniform(0.3, 1.0, len(numbers)) * 2.38 / np.sqrt(2 * COLUMNS)
    length = np.where(chance.uniform(size=len(numbers)) < 0.15, 1.0, usual)
    some = chance.uniform(size=numbers.shape) < chance.choice([1.0, 0.5, 0.25], size=(len(numbers), 1))
    along = length[:, None] * (numbers[one] - numbers[other]) + 0.003 * chance.standard_normal(numbers.shape)
    anew = chance.uniform(size=len(numbers)) < ANEW
    return np.where(anew[:, None], _changing(numbers, prior, chance), numbers + some * along), anew
