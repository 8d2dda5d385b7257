"""A report: the runs that were found, and their comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lrsched.report.compare import Comparison, compare
from lrsched.report.metric import Metric, metric_of
from lrsched.report.read import read_runs
from lrsched.report.runs import RunRecord, with_used
from lrsched.report.time_to_target import Race, races


@dataclass(frozen=True)
class Report:
    """Runs and their comparison, whatever they are shown as.

    Args:
        runs: all that were found, in the order of their paths.
        metric: what they are compared on.
        comparisons: one a workload.
        races: to a target, one a workload; none if no target was asked for.
    """

    runs: tuple[RunRecord, ...]
    metric: Metric
    comparisons: tuple[Comparison, ...]
    races: tuple[Race, ...] = ()


def target_told(metric: Metric, target: float | str | None) -> str:
    """What a target is of, in words, where nobody named a metric.

    >>> target_told(Metric("val/loss", "min", "val/loss", "min"), 0.95)
    '--target 0.95 is of val/loss, at most; --metric NAME takes another one, as val/accuracy'
    """
    way = "at most" if metric.mode == "min" else "at least"
    return f"--target {target} is of {metric.name}, {way}; --metric NAME takes another one, as val/accuracy"


def compare_paths(
    paths: Sequence[Path], metric: str | None = None, mode: str | None = None, target: float | str | None = None
) -> Report:
    """Read the runs in some folders and compare them.

    Args:
        paths: run folders, and folders that hold them at any depth.
        metric: what to compare on; None for what the runs monitor.
        mode: ``min`` or ``max``: which way is better, where the metric's name does not say so.
        target: the value to be reached; ``auto`` for one that every candidate can reach; None for no race.

    Raises:
        ConfigError: a path holds no run, or no run has the metric.
    """
    return compare_runs(read_runs(paths), metric, mode, target)


def compare_runs(
    runs: Sequence[RunRecord],
    metric: str | None = None,
    mode: str | None = None,
    target: float | str | None = None,
) -> Report:
    """Compare runs that were read; the other arguments are those of :func:`compare_paths`.

    Raises:
        ConfigError: no run has the metric.
    """
    runs = with_used(runs)
    chosen = metric_of(runs, metric, mode)
    comparisons = compare(runs, chosen)
    raced = [] if target is None else races(comparisons, None if isinstance(target, str) else target)
    return Report(tuple(runs), chosen, tuple(comparisons), tuple(raced))
