"""The fair comparison: each candidate at its own best learning rate, seed against seed.

- A candidate's rate is chosen by the mean over its seeds of the validation metric, among the rates that have an outcome
  for each of its seeds. A run that diverged has one: the worst. A run that failed otherwise, was stopped or is missing
  has none, and its rate is left out, aloud; only where every rate lacks runs are those with the most of them taken.
- Chosen and compared on the same metric, a candidate with more rates has more luck: unequal numbers are told, and so is
  how often the same rate would have been chosen had the seeds been drawn anew.
- Candidates are compared on the seeds that both have at their rates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from lrsched.report.candidates import RATE, SEED, candidate, identity, names, telling, workload
from lrsched.report.flat import Flat
from lrsched.report.metric import Metric
from lrsched.report.runs import Run
from lrsched.report.stats import bca_interval, holm, pairs_needed, probability_better, sign_flip_p

Outcomes = Mapping[Any, float]
"""A value for each seed; the worst that there is for a run that diverged."""


@dataclass(frozen=True)
class Rate:
    """One candidate at one learning rate."""

    lr: Any
    runs: Mapping[Any, Run]
    choosing: Outcomes
    comparing: Outcomes
    lacking: tuple[Any, ...]

    @property
    def diverged(self) -> int:
        return sum(not math.isfinite(value) for value in self.choosing.values())


@dataclass(frozen=True)
class Candidate:
    """A row of the table: what was tried, at its best rate.

    Args:
        name: short, by what tells it from the others.
        entries: the same as dotted keys and values.
        rates: all that were tried, in ascending order.
        best: the chosen one; None where nothing has an outcome.
        sure: how often the same rate is chosen when seeds are drawn anew (0 to 1); None where there is no choice.
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
    def mean(self) -> float:
        return mean(self.values.values())

    @property
    def edge(self) -> str:
        """``largest`` or ``smallest`` where the best rate lies at that end of those tried, else nothing."""
        tried = [rate.lr for rate in self.rates if rate.choosing and isinstance(rate.lr, (int, float))]
        if self.best is None or len(tried) < 2 or self.best.lr not in (tried[0], tried[-1]):
            return ""
        return "smallest" if self.best.lr == tried[0] else "largest"


@dataclass(frozen=True)
class Pair:
    """The best candidate against another one, on the seeds that both have.

    Args:
        best, other: their names.
        differences: by how much the best is better, a number a shared seed; empty where one diverged.
        seeds: how many are shared.
        interval: 95 %, of the mean difference; None for fewer than two seeds.
        p: of the sign-flip test.
        p_holm: the same, corrected for the comparisons of all candidates with each other: which of them is
            the best was seen in the same numbers.
        comparisons: how many these are.
        probability: that the best beats the other, None without a shared seed.
    """

    best: str
    other: str
    differences: tuple[float, ...]
    seeds: int
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    probability: float | None
    comparisons: int = 1

    @property
    def mean(self) -> float | None:
        return math.fsum(self.differences) / len(self.differences) if self.differences else None

    @property
    def needed(self) -> float:
        """About how many pairs would decide it."""
        return pairs_needed(self.differences) if len(self.differences) > 1 else math.nan


@dataclass(frozen=True)
class Comparison:
    """One workload: its candidates from the best to the worst, and the best against each other one."""

    name: str
    workload: Flat
    metric: Metric
    candidates: tuple[Candidate, ...]
    pairs: tuple[Pair, ...]
    repeated: tuple[Run, ...] = ()


def compare(runs: Sequence[Run], metric: Metric) -> list[Comparison]:
    """One comparison for each workload among the runs; those without a readable config belong to none."""
    by_workload: dict[Any, list[Run]] = {}
    for run in runs:
        if run.config:
            by_workload.setdefault(identity(workload(run.config)), []).append(run)
    groups = list(by_workload.values())
    parts = [workload(group[0].config) for group in groups]
    shown = names(parts, always=("model._target_", "dataset._target_"))
    return [_one(name, part, group, metric) for name, part, group in zip(shown, parts, groups, strict=True)]


def _one(name: str, part: Flat, runs: Sequence[Run], metric: Metric) -> Comparison:
    by_candidate: dict[Any, dict[Any, dict[Any, Run]]] = {}
    repeated = []
    for run in sorted(runs, key=lambda run: not run.decided):  # what has an outcome counts before what has none
        rates = by_candidate.setdefault(identity(candidate(run.config)), {})
        seeds = rates.setdefault(run.config.get(RATE), {})
        if seeds.setdefault(run.config.get(SEED), run) is not run:
            repeated.append(run)
    cells = list(by_candidate.values())
    parts = [candidate(next(iter(next(iter(rates.values())).values())).config) for rates in cells]
    always = ("scheduler._target_",)
    rows = [
        _candidate(label, entries, rates, metric)
        for label, entries, rates in zip(names(parts, always), telling(parts, always), cells, strict=True)
    ]
    rows.sort(key=lambda row: (row.best is None, *metric.order(row.values.values()), row.name))
    return Comparison(name, part, metric, tuple(rows), tuple(pairs(rows, metric)), tuple(repeated))


def _candidate(name: str, entries: Flat, cells: Mapping[Any, Mapping[Any, Run]], metric: Metric) -> Candidate:
    asked = {seed for seeds in cells.values() for seed in seeds}
    rates = []
    for lr, seeds in sorted(cells.items(), key=lambda cell: (isinstance(cell[0], str), cell[0] or 0)):
        choosing, comparing = metric.outcomes(seeds, metric.chosen_by), metric.outcomes(seeds, metric.name)
        rates.append(Rate(lr, seeds, choosing, comparing, tuple(sorted(asked - set(choosing), key=str))))
    best = _best(rates, metric)
    return Candidate(name, entries, tuple(rates), best, _sure(rates, best, metric))


def _eligible(rates: Sequence[Rate]) -> list[Rate]:
    """The rates that lack the fewest runs, if any run has an outcome at all."""
    fewest = min(len(rate.lacking) for rate in rates)
    return [rate for rate in rates if len(rate.lacking) == fewest and rate.choosing]


def _best(rates: Sequence[Rate], metric: Metric) -> Rate | None:
    return min(_eligible(rates), key=lambda rate: metric.order(rate.choosing.values(), metric.chosen_by), default=None)


def _sure(rates: Sequence[Rate], best: Rate | None, metric: Metric, draws: int = 2000) -> float | None:
    """How often the chosen rate is chosen again when the seeds are drawn anew, with replacement."""
    eligible = _eligible(rates)
    if best is None or len(eligible) < 2 or len(best.choosing) < 2:
        return None
    shared = sorted(set.intersection(*(set(rate.choosing) for rate in eligible)), key=str)
    if len(shared) < 2:
        return None
    sign = metric.sign(metric.chosen_by)
    values = sign * np.array([[rate.choosing[seed] for seed in shared] for rate in eligible])
    drawn = np.random.default_rng(0).integers(0, len(shared), (draws, len(shared)))
    again = values[:, drawn].mean(axis=2).argmin(axis=0)
    return float(np.mean(again == eligible.index(best)))


def pairs(rows: Sequence[Candidate], metric: Metric) -> list[Pair]:
    """The first row against each of the others, their p corrected by those of all pairs of rows."""
    there = [row for row in rows if row.best is not None]
    told = [_pair(there[0], other, metric) for other in there[1:]]
    rest = [_p(_differences(*_shared(one, other, metric))) for one, other in combinations(there[1:], 2)]
    tested = [p for p in [*(pair.p for pair in told), *rest] if p is not None]
    corrected = iter(holm(tested))
    return [replace(pair, p_holm=None if pair.p is None else next(corrected), comparisons=len(tested)) for pair in told]


def _pair(best: Candidate, other: Candidate, metric: Metric) -> Pair:
    mine, theirs = _shared(best, other, metric)
    differences = _differences(mine, theirs)
    return Pair(
        best=best.name,
        other=other.name,
        differences=differences,
        seeds=len(mine),
        interval=bca_interval(differences) if len(differences) > 1 else None,
        p=_p(differences),
        p_holm=None,
        probability=probability_better(mine, theirs) if mine else None,
    )


def _shared(one: Candidate, other: Candidate, metric: Metric) -> tuple[list[float], list[float]]:
    """The values of two candidates at the seeds that both have, the smaller the better."""
    seeds = sorted(set(one.values) & set(other.values), key=str)
    sign = metric.sign()
    return [sign * one.values[seed] for seed in seeds], [sign * other.values[seed] for seed in seeds]


def _differences(mine: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """By how much the first are better; nothing as soon as a run diverged."""
    if not all(map(math.isfinite, [*mine, *theirs])):
        return ()
    return tuple(b - a for a, b in zip(mine, theirs, strict=True))


def _p(differences: Sequence[float]) -> float | None:
    return sign_flip_p(differences) if len(differences) > 1 else None


def mean(values: Any) -> float:
    """The mean; nan of nothing, and infinite as soon as one run diverged."""
    known = list(values)
    return sum(known) / len(known) if known else math.nan


def spread(values: Any) -> float | None:
    """The sample standard deviation of two values or more, all finite."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def count(runs: Sequence[Run]) -> Counter[str]:
    """How many runs ended in which way; what diverged is counted as that."""
    return Counter("diverged" if run.diverged else run.status for run in runs)
