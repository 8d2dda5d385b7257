"""Two pictures a workload: the curve of each candidate at its best rate, and how each depends on its rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lrsched.picture import as_png, panels
from lrsched.report.compare import Comparison
from lrsched.report.format import titled
from lrsched.report.metric import Metric
from lrsched.report.rates import Candidate, mean, spread
from lrsched.report.report import Report
from lrsched.report.runs import RunRecord
from lrsched.report.stats import Floats
from lrsched.units import count

MOST_TICKS = 12
WIDE = 10.0
"""Means that differ by more than this factor go on a logarithmic axis."""


def pictures(report: Report, folder: str) -> dict[str, bytes]:
    """PNG files by name, two a workload: ``curves.png``, ``rates.png``; then ``curves-2.png``, ….

    Args:
        report: what to draw.
        folder: the value of ``--png``, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    drawn = {}
    for number, comparison in enumerate(report.comparisons, start=1):
        suffix = "" if number == 1 else f"-{number}"
        drawn[f"curves{suffix}.png"] = _png(folder, _draw_curves, comparison)
        drawn[f"rates{suffix}.png"] = _png(folder, _draw_rates, comparison)
    return drawn


def curves(runs: Sequence[RunRecord], name: str) -> tuple[Floats, Floats]:
    """The curves of a metric: the steps at which every run with the metric measured it, and values[run, step]."""
    tables = [{row["step"]: row[name] for row in run.rows() if name in row} for run in runs]
    measured = [table for table in tables if table]
    shared = sorted(set.intersection(*map(set, measured))) if measured else []
    return np.array(shared, dtype=np.float64), np.array([[table[step] for step in shared] for table in measured])


def _png(folder: str, draw: Callable[[Any, Comparison], None], comparison: Comparison) -> bytes:
    figure, (panel,) = panels(folder, 8, [4.5])
    draw(panel, comparison)
    if panel.get_legend_handles_labels()[1]:
        panel.legend(frameon=False)
    return as_png(figure)


def _draw_curves(panel: Any, comparison: Comparison) -> None:
    """Draw the mean over the seeds, and a band from the lowest to the highest."""
    name = comparison.metric.chosen_by
    for number, row in enumerate(comparison.candidates):
        runs = [run for run in row.best.runs.values() if run.finished] if row.best else []
        steps, values = curves(runs, name)
        if row.best is not None and len(steps):
            colour = f"C{number % 10}"
            label = f"{row.name}, lr {row.best.lr} ({count(len(values), 'seed')})"
            panel.plot(steps, values.mean(axis=0), color=colour, label=label)
            panel.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    panel.set_title(f"{comparison.name}: each at its best rate, mean and range of its seeds")
    panel.set_xlabel("step")
    panel.set_ylabel(_labelled(comparison, name))


def _draw_rates(panel: Any, comparison: Comparison) -> None:
    """Draw the final metric against the learning rate: mean and standard deviation of the seeds, the best marked."""
    metric, heights, tried = comparison.metric, [], set()
    for number, row in enumerate(comparison.candidates):
        points = _points(row)
        if points:
            rates, means, spreads = zip(*points, strict=True)
            heights += means
            tried |= set(rates)
            colour = f"C{number % 10}"
            panel.errorbar(rates, means, yerr=spreads, color=colour, marker="o", capsize=3, label=row.name)
            _mark(panel, row, metric, colour)
    panel.set_xscale("log")
    if len(tried) <= MOST_TICKS:
        panel.set_xticks(sorted(tried), [f"{rate:g}" for rate in sorted(tried)])
        panel.minorticks_off()
    if heights and min(heights) > 0 and max(heights) > WIDE * min(heights):
        panel.set_yscale("log")
    panel.set_title(f"{comparison.name}: mean and standard deviation of the seeds at each rate")
    panel.set_xlabel("optimizer.lr")
    panel.set_ylabel(_labelled(comparison, metric.chosen_by))


def _labelled(comparison: Comparison, name: str) -> str:
    """A metric with its unit; fractions are drawn as such."""
    return titled(name, comparison.unit(name)).replace("\n", " ")


def _points(row: Candidate) -> list[tuple[float, float, float]]:
    """Rate, mean and spread of each rate whose runs all have finite values."""
    points = []
    for rate in row.rates:
        height = mean(rate.choosing.values())
        if isinstance(rate.lr, (int, float)) and rate.lr > 0 and math.isfinite(height):
            points.append((float(rate.lr), height, spread(rate.choosing.values()) or 0.0))
    return points


def _mark(panel: Any, row: Candidate, metric: Metric, colour: str) -> None:
    best = row.best
    if best is not None and isinstance(best.lr, (int, float)):
        height = mean(best.choosing.values())
        panel.plot([best.lr], [height], marker="*", markersize=14, color=colour, linestyle="none")
