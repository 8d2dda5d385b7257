"""The best candidate against each other one, seed against seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from lrsched.report.format import FEWEST
from lrsched.report.metric import Metric
from lrsched.report.rates import Candidate
from lrsched.report.stats import LEVEL, attained, holm, interval, pairs_needed, probability_better, sign_flip_p


@dataclass(frozen=True)
class Pair:
    """The best candidate against another one, on the seeds that both share.

    Args:
        best, other: their names.
        differences: by how much the best is better, one a shared seed; empty if a run diverged.
        seeds: how many are shared.
        interval: of the mean difference, by the same test as p; None for fewer than five seeds.
        level: that the interval has: the next that so many seeds can give from 95 % on, or the most that they can.
        p: of the sign-flip test.
        p_holm: the same, corrected for the comparisons of all candidates with each other: the same numbers
            decided which of them is the best.
        probability: that the best beats the other; None without a shared seed.
        comparisons: how many were made.
        means: of both over the shared seeds, or over all where none is; None if a run diverged.
        lead: by how much the best one's mean is better, of means of no shared seed.
    """

    best: str
    other: str
    differences: tuple[float, ...]
    seeds: int
    interval: tuple[float, float] | None
    level: float | None
    p: float | None
    p_holm: float | None
    probability: float | None
    comparisons: int = 1
    means: tuple[float, float] | None = None
    lead: float = 0.0

    @property
    def mean(self) -> float | None:
        return math.fsum(self.differences) / len(self.differences) if self.differences else None

    @property
    def needed(self) -> float:
        """About how many pairs would decide it; inf where so few do not tell."""
        return pairs_needed(self.differences) if len(self.differences) > 1 else math.inf


def pairs(rows: Sequence[Candidate], metric: Metric) -> list[Pair]:
    """The first row against each other one, with p corrected for all pairs of rows."""
    there = [row for row in rows if row.best is not None]
    found = [_pair(there[0], other, metric) for other in there[1:]]
    rest = [_p(_differences(*_shared(one, other, metric))) for one, other in combinations(there[1:], 2)]
    tested = [p for p in [*(pair.p for pair in found), *rest] if p is not None]
    corrected = iter(holm(tested))
    return [
        replace(pair, p_holm=None if pair.p is None else next(corrected), comparisons=len(tested)) for pair in found
    ]


def _pair(best: Candidate, other: Candidate, metric: Metric) -> Pair:
    mine, theirs = _shared(best, other, metric)
    differences = _differences(mine, theirs)
    level = attained(len(differences)) if len(differences) >= FEWEST else None
    return Pair(
        best=best.name,
        other=other.name,
        differences=differences,
        seeds=len(mine),
        interval=interval(differences, min(level, 1 - LEVEL)) if level else None,
        level=level,
        p=_p(differences),
        p_holm=None,
        probability=probability_better(mine, theirs) if mine else None,
        means=(means := _means(best, other, metric)),
        lead=0.0 if means is None else metric.sign() * (means[1] - means[0]),
    )


def _means(best: Candidate, other: Candidate, metric: Metric) -> tuple[float, float] | None:
    """The mean of either, as it was measured."""
    mine, theirs = _shared(best, other, metric)
    if not mine:
        mine, theirs = ([metric.sign() * value for value in row.values.values()] for row in (best, other))
    if not mine or not theirs or not all(map(math.isfinite, [*mine, *theirs])):
        return None
    return metric.sign() * math.fsum(mine) / len(mine), metric.sign() * math.fsum(theirs) / len(theirs)


def _shared(one: Candidate, other: Candidate, metric: Metric) -> tuple[list[float], list[float]]:
    """The values of two candidates at the seeds that both share, signed so that smaller is better."""
    seeds = sorted(set(one.values) & set(other.values), key=str)
    sign = metric.sign()
    return [sign * one.values[seed] for seed in seeds], [sign * other.values[seed] for seed in seeds]


def _differences(mine: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """By how much the first are better; empty if a run diverged."""
    if not all(map(math.isfinite, [*mine, *theirs])):
        return ()
    return tuple(b - a for a, b in zip(mine, theirs, strict=True))


def _p(differences: Sequence[float]) -> float | None:
    return sign_flip_p(differences) if len(differences) > 1 else None
