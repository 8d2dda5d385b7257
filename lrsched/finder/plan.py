"""Which short runs to make, one after another, and the rate that follows: the statistics of ``find.method=horizon``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from lrsched.errors import ConfigError
from lrsched.finder.answer import Candidate, rounded
from lrsched.finder.fit import Fit
from lrsched.finder.losses import Losses, by_horizon
from lrsched.finder.rates import APART, BESIDE, USUAL, Worth, climb, has

FIRST, MIDDLE, LAST = 1 / 40, 1 / 20, 1 / 4
"""Horizons, as parts of the run, where the budget is 15 % of a full grid of 7 rates."""

MOST = 16
"""Rates at the first horizon; those beyond the usual number shorten the later horizons."""

THREE = 3
WORST = 1.0
"""A rate is chosen by its expected regret, of which more than this counts as this."""

FLAT = 0.1
"""Losses of the longest horizon that differ by less, and by no more than seeds do, may have their least anywhere: by so
much, three times their error, the forms may be wrong. Noisy losses that differ by more have a least one."""

LONGEST = 0.5
SHORTEST = 10
"""Updates of the shortest run that says anything."""


class Ask(NamedTuple):
    """A run to make, once for each seed."""

    lr: float
    horizon: int


@dataclass(frozen=True)
class Found:
    """What follows from the losses.

    Args:
        rate: with the least expected regret at the run's horizon.
        low, high: the shortest 95 % interval of the best one; where the curve is flat to the forms' error, with every
            rate of any horizon that does not differ there.
        exponent: of the best rate over horizons: mean and standard deviation.
        wall: how likely the best rate is the largest stable one.
        largest: the largest rate with which no seed of the longest horizon came to grief: no answer is above.
        edge: low or high where the best rate may lie beyond what was tried.
        regret: expected, of the rate.
        flat: at the longest horizon no rate is worse than the best by more than seeds differ.
        fit: all of it.
    """

    rate: float
    low: float
    high: float
    exponent: tuple[float, float]
    wall: float
    largest: float
    edge: Literal["low", "high"] | None
    regret: float
    flat: bool
    fit: Fit


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Short runs of the real schedule: many at a short horizon discard rates, few at longer ones measure the rest.

    The first horizon climbs from ``start`` by factors of 2, later 4, to a rate that has worse ones on either side, by
    more than seeds differ. The other two take three rates each, those after which :class:`Worth` expects the least
    regret at the run's own horizon: the outer two of three first, then one more, by what these came to. All seeds train
    with every rate, so that their noise cancels. What to run next follows from the losses alone, in whatever order they
    came.

    Args:
        horizon: steps of the run.
        seeds: of the runs.
        start: a rate to begin with.
        budget: steps, all seeds counted. A run that diverges counts in full.
        tried: rates at the first horizon that the later ones leave room for, at least: they are then of one length for
            schedules that are compared.
        horizons: lengths of the runs, ascending; empty: three that the budget allows.
        passes: of the run over its data.

    Raises:
        ConfigError: the budget is too small.

    >>> plan = Plan(horizon=2000, seeds=(0, 1, 2), start=0.1, budget=6300)
    >>> plan.next([])
    [Ask(lr=0.05, horizon=50), Ask(lr=0.1, horizon=50), Ask(lr=0.2, horizon=50)]
    """

    horizon: int
    seeds: Sequence[int]
    start: float
    budget: int
    tried: int = 0
    horizons: tuple[int, ...] = ()
    passes: float = 1.0

    def __post_init__(self) -> None:
        least = (USUAL * SHORTEST + THREE * (2 * SHORTEST + 3)) * len(self.seeds)
        if not self.horizons and self.budget < least:
            rule = f"must be at least {least} steps, or no short run says anything"
            raise ConfigError("find.budget", f"{self.budget}st", rule, "give more of it, or fewer find.seeds")

    @property
    def scale(self) -> float:
        """By how much the budget is above the usual one."""
        usual = FIRST * USUAL + (MIDDLE + LAST) * THREE
        return self.budget / (usual * self.horizon * len(self.seeds))

    @property
    def first(self) -> int:
        """Updates at the first horizon."""
        if self.horizons:
            return self.horizons[0]
        return max(SHORTEST, round(FIRST * min(self.scale, LONGEST / LAST) * self.horizon))

    def later(self, tried: int) -> tuple[int, ...]:
        """Updates at the others, after so many rates at the first: two that the budget leaves."""
        if self.horizons:
            return self.horizons[1:]
        left = self.budget / len(self.seeds) - max(tried, self.tried) * self.first
        longest = min(int(left * LAST / (LAST + MIDDLE) / THREE), int(LONGEST * self.horizon))
        return max(SHORTEST + 1, round(longest * MIDDLE / LAST)), max(SHORTEST + 2, longest)

    def next(self, trials: Sequence[Candidate]) -> list[Ask]:
        """The runs that are missing before the next decision; none: all are made.

        Raises:
            UserError: a loss is not above 0.
        """
        known = by_horizon(trials, self.seeds)
        first = self.climb(known.get(self.first))
        if first:
            return first
        tried = {self.first: known[self.first]}
        if not np.isfinite(tried[self.first].mean).any():
            return []
        for horizon in self.later(len(tried[self.first].x)):
            there = known.get(horizon)
            if there is None or len(there.x) < THREE - 1:
                outer = map(_rate, self._worth(self._fit(tried), horizon).outer())
                return [Ask(rate, horizon) for rate in outer if not has(there, rate)]
            if len(there.x) < THREE:
                rate = _rate(self._third(self._fit({**tried, horizon: there}), horizon, there))
                return [Ask(rounded(1.03 * rate) if has(there, rate) else rate, horizon)]
            tried[horizon] = known[horizon]
        return []

    def _fit(self, known: Mapping[int, Losses]) -> Fit:
        return Fit.of(known, self.passes)

    def _worth(self, fit: Fit, horizon: int) -> Worth:
        """Of rates far and near; where schedules are compared of near ones, since the least loss is asked for."""
        far = BESIDE[0] if self.tried else BESIDE[-1]
        return Worth(fit, horizon, self.horizon, len(self.seeds), WORST, far)

    def _third(self, fit: Fit, horizon: int, there: Losses) -> float:
        """The one that is worth the most; where schedules are compared the best one, since its loss is asked for."""
        if self.tried:
            best = fit.best(horizon, seen=True)
            if np.abs(there.x - best).min() > APART:
                return best
        return self._worth(fit, horizon).one(there)

    def climb(self, known: Losses | None) -> list[Ask]:
        """Rates at the first horizon that are missing."""
        return [Ask(rate, self.first) for rate in climb(known, self.start, self._most, self.passes)]

    @property
    def _most(self) -> int:
        """Rates at the first horizon for which there is room: half of the budget is for the longer ones."""
        if self.horizons:
            return min(MOST, (self.budget // len(self.seeds) - cost_of(self.horizons, 0)) // self.first)
        return max(THREE, min(MOST, int(0.5 * self.budget / len(self.seeds) / self.first)))

    def answer(self, trials: Sequence[Candidate]) -> Found | None:
        """The rate, and how sure it is; None: every rate diverged.

        Raises:
            UserError: a loss is not above 0.
        """
        known = by_horizon(trials, self.seeds)
        known = {horizon: of for horizon, of in known.items() if np.isfinite(of.mean).any()}
        if not known:
            return None
        fit, longest = self._fit(known), known[max(known)]
        stable = longest.x[longest.near()]
        best = fit.best(self.horizon, float(stable.max()), WORST)
        low, high = fit.interval(self.horizon)
        alike = fit.noise.alike(longest)
        if alike.all() and np.ptp(longest.mean) < FLAT:
            x = np.concatenate([of.x[fit.noise.alike(of)] for of in known.values()])
            low, high = min(low, float(x.min())), max(high, float(x.max()))
        exponent = fit.exponent
        return Found(
            rate=rounded(float(np.exp(best))),
            low=float(np.exp(low)),
            high=float(np.exp(high)),
            exponent=(float(exponent.mean()), float(exponent.std())),
            wall=fit.wall(self.horizon),
            largest=float(np.exp(stable.max())),
            edge=known[min(known)].edge,
            regret=float(fit.regret(self.horizon, np.array([best]))[0]),
            flat=bool(alike.all()),
            fit=fit,
        )

    def cost(self, trials: Sequence[Candidate]) -> int:
        """Updates of these runs; one that diverged counts in full."""
        return sum(trial.horizon for trial in trials)


def cost_of(horizons: Sequence[int], tried: int) -> int:
    """Updates with one seed: so many rates at the first horizon, three at each later one.

    >>> cost_of([100, 240, 600], 6)
    3120
    """
    return tried * horizons[0] + THREE * sum(horizons[1:])


def _rate(x: float) -> float:
    return rounded(float(np.exp(x)))
