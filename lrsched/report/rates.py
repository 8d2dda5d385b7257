"""Choose the learning rate of each candidate.

- The best rate has the best mean validation metric over the seeds, among the rates that have an outcome for each of
  the candidate's seeds. A run that diverged has one: the worst. A run that failed otherwise, was stopped or is missing
  has none, so its rate is left out, with a note; where all rates lack runs, those that lack the fewest are eligible.
  A rate at which all runs diverged is never chosen.
- Where the same metric chooses and compares, more rates mean more luck. So a report notes unequal numbers of rates, and
  how often resampled seeds would choose the same rate again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrsched.config.walk import Flat
from lrsched.report.candidates import rate_key
from lrsched.report.metric import Metric
from lrsched.report.runs import RunRecord

Outcomes = Mapping[Any, float]
"""A value for each seed; the worst possible one for a run that diverged."""


@dataclass(frozen=True)
class Rate:
    """One candidate at one learning rate.

    Args:
        lr: the rate.
        runs: by seed.
        choosing, comparing: outcomes in the metric that chooses the rate, and in the one that is compared.
        lacking: seeds of the candidate that have no outcome here.
    """

    lr: Any
    runs: Mapping[Any, RunRecord]
    choosing: Outcomes
    comparing: Outcomes
    lacking: tuple[Any, ...]

    @property
    def key(self) -> str:
        """The key that holds the rate."""
        return rate_key(next(iter(self.runs.values())).config)

    @property
    def diverged(self) -> int:
        return sum(not math.isfinite(value) for value in self.choosing.values())

    @property
    def finite(self) -> bool:
        """Whether any of its runs has a finite value."""
        return any(map(math.isfinite, self.choosing.values()))

    @property
    def incomplete(self) -> bool:
        """Whether it lacks runs, other than dropped ones."""
        return bool(self.lacking) and not self.dropped

    @property
    def dropped(self) -> bool:
        """Whether successive halving dropped all the runs that it lacks."""
        return bool(self.lacking) and all(seed in self.runs and self.runs[seed].dropped for seed in self.lacking)

    @property
    def paused(self) -> bool:
        """Whether its sweep paused all the runs that it lacks."""
        return bool(self.lacking) and all(seed in self.runs and self.runs[seed].paused for seed in self.lacking)

    @property
    def tried(self) -> bool:
        return bool(self.choosing) or self.dropped


@dataclass(frozen=True)
class Candidate:
    """A row of the table.

    Args:
        name: short, made of what distinguishes it from the others.
        entries: the same, as dotted keys and values.
        rates: all that were asked for, in ascending order.
        best: the chosen one; None if no rate has a finite outcome.
        sure: how often resampled seeds choose the same rate (0 to 1); None where there is no choice.
    """

    name: str
    entries: Flat
    rates: tuple[Rate, ...]
    best: Rate | None
    sure: float | None

    @property
    def values(self) -> Outcomes:
        return self.best.comparing if self.best else {}

    @property
    def metrics(self) -> list[str]:
        """The names of what was measured at the best rate, in the order of the results."""
        return list(dict.fromkeys(name for run in self.best.runs.values() for name in run.metrics)) if self.best else []

    def finals(self, name: str) -> dict[Any, float | None]:
        """A metric of the runs that finished at the best rate, by seed."""
        runs = self.best.runs if self.best else {}
        return {seed: run.metrics.get(name) for seed, run in runs.items() if run.finished}

    @property
    def finite(self) -> bool:
        """Whether any run at the best rate has a finite value of the compared metric."""
        return any(map(math.isfinite, self.values.values()))

    @property
    def mean(self) -> float:
        return mean(self.values.values())

    @property
    def incomplete(self) -> bool:
        """Whether a rate lacks runs: then another rate may be better than the chosen one."""
        return any(rate.incomplete for rate in self.rates)

    @property
    def edge(self) -> str:
        """``largest`` or ``smallest`` if the best rate is at that end of those tried, else empty."""
        tried = [rate.lr for rate in self.rates if rate.tried and isinstance(rate.lr, (int, float))]
        if self.best is None or self.incomplete or len(tried) < 2 or self.best.lr not in (tried[0], tried[-1]):
            return ""
        return "smallest" if self.best.lr == tried[0] else "largest"


def _eligible(rates: Sequence[Rate]) -> list[Rate]:
    """The rates with a finite outcome that lack the fewest runs."""
    finite = [rate for rate in rates if rate.finite]
    fewest = min((len(rate.lacking) for rate in finite), default=0)
    return [rate for rate in finite if len(rate.lacking) == fewest]


def best_rate(rates: Sequence[Rate], metric: Metric) -> Rate | None:
    """The eligible rate with the best mean; None if there is none."""
    return min(_eligible(rates), key=lambda rate: metric.order(rate.choosing.values(), metric.chosen_by), default=None)


def certainty(rates: Sequence[Rate], best: Rate | None, metric: Metric, draws: int = 2000) -> float | None:
    """How often the best rate is chosen again when the seeds are resampled with replacement; None without a choice."""
    eligible = _eligible(rates)
    if best is None or best.lacking or len(eligible) < 2 or len(best.choosing) < 2:
        return None  # no choice, or one that depends on which runs are missing
    sign, seeds = metric.sign(metric.chosen_by), list(best.choosing)
    values = sign * np.array([[rate.choosing[seed] for seed in seeds] for rate in eligible])
    drawn = values[:, np.random.default_rng(0).integers(0, len(seeds), (draws, len(seeds)))]
    lost = np.isinf(drawn).sum(axis=2)
    total = np.where(np.isinf(drawn), 0.0, drawn).sum(axis=2)
    means = np.divide(total, len(seeds) - lost, out=np.full(lost.shape, np.inf), where=lost < len(seeds))
    again = np.lexsort((means, lost), axis=0)[0]  # the order of Metric.order
    return float(np.mean(again == eligible.index(best)))


def mean(values: Iterable[float]) -> float:
    """The mean; nan without values, infinite if a run diverged."""
    known = list(values)
    return sum(known) / len(known) if known else math.nan


def spread(values: Iterable[float]) -> float | None:
    """The sample standard deviation of the finite values; None for fewer than two."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None
