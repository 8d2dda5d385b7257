"""Time to target: the steps that each candidate takes to reach a value, scored as AlgoPerf does.

A study is a seed, its trials are the learning rates: the time of a candidate on a workload is the median over its
seeds of the fewest steps over its rates; a miss is infinite. Dahl et al. 2023, https://arxiv.org/abs/2306.07179
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_high

import numpy as np

from lrsched.errors import ConfigError
from lrsched.report.compare import Comparison
from lrsched.report.metric import Metric
from lrsched.report.rates import Candidate
from lrsched.report.runs import RunRecord
from lrsched.units import metric_of


@dataclass(frozen=True)
class Race:
    """One workload: the target, and the steps of each candidate to it, infinite for a miss."""

    workload: str
    target: float
    steps: dict[str, float]


def races(comparisons: Sequence[Comparison], target: float | None) -> list[Race]:
    """A race for each workload.

    Args:
        comparisons: one a workload.
        target: the value to reach, or None for the worst candidate's median at its best rate: every candidate
            reaches it with more than half of its seeds.

    Raises:
        ConfigError: the metric is not measured while a run trains.
    """
    found = []
    for comparison in comparisons:
        metric = comparison.metric
        if not metric.name.startswith(("val/", "train/")):
            remedy = f"give --metric val/{metric_of(metric.name)}"
            raise ConfigError("--metric", metric.name, "is measured once, at the end", remedy)
        value = _reachable(comparison) if target is None else target
        steps = {row.name: float(np.median([*times(row, metric, value).values()])) for row in comparison.candidates}
        found.append(Race(comparison.name, value, steps))
    return found


def scores(found: Sequence[Race]) -> dict[str, float]:
    """AlgoPerf's score by candidate, the best first; not to run on a workload is a miss."""
    names = list(dict.fromkeys(name for race in found for name in race.steps))
    times = [[race.steps.get(name, math.inf) for race in found] for name in names]
    by_name = dict(zip(names, algoperf_scores(times), strict=True)) if names else {}
    return dict(sorted(by_name.items(), key=lambda item: -item[1]))


def steps_to(run: RunRecord, metric: Metric, target: float) -> float:
    """Completed updates at the first evaluation that reaches the target; infinite if none does."""
    sign = metric.sign()
    reached = (row for row in run.rows() if metric.name in row and sign * row[metric.name] <= sign * target)
    return next((float(row["step"]) for row in reached), math.inf)


def times(row: Candidate, metric: Metric, target: float) -> dict[object, float]:
    """The fewest steps of each seed over its rates, infinite for a miss."""
    fastest: dict[object, float] = {}
    for rate in row.rates:
        for seed, run in rate.runs.items():
            fastest[seed] = min(fastest.get(seed, math.inf), steps_to(run, metric, target))
    return fastest


def _reachable(comparison: Comparison) -> float:
    """A target that every candidate with a finite value reaches."""
    sign = comparison.metric.sign()
    medians = [
        median_high(sign * value for value in row.values.values()) for row in comparison.candidates if row.values
    ]
    finite = [value for value in medians if math.isfinite(value)]
    return sign * max(finite) if finite else math.nan


def algoperf_scores(times: Sequence[Sequence[float]], longest: float = 4.0) -> list[float]:
    """The score of each candidate, AlgoPerf's, in [0, 1]: how close it comes to the fastest, over all workloads.

    With r = t / min t on a workload, the area below the performance profile (share of workloads with r ≤ τ) from
    τ = 1 to 4, which is the mean of clip((4 − r)/3, 0, 1). Dahl et al. 2023, https://arxiv.org/abs/2306.07179

    Args:
        times: to the target, a row a candidate, a column a workload; inf where it was not reached.
        longest: the ratio from which on the score is 0.

    >>> [round(score, 4) for score in algoperf_scores([[1, 2], [1.5, 1], [math.inf, 8]])]
    [0.8333, 0.9167, 0.0]
    """
    table = np.asarray(times, dtype=np.float64)
    fastest = table.min(axis=0)
    reached = np.isfinite(table)
    ratio = np.full(table.shape, np.inf)
    np.divide(table, np.where(fastest > 0, fastest, 1.0), out=ratio, where=reached & (fastest > 0))
    ratio[reached & (table == fastest)] = 1.0  # at step 0, too
    return np.clip((longest - ratio) / (longest - 1), 0, 1).mean(axis=1).tolist()
