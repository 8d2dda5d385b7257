"""The metric that chose the rates, against the learning rate."""

from __future__ import annotations

import math
from typing import Any

from lrsched.picture import as_png, panels
from lrsched.report.compare import Comparison
from lrsched.report.pictures.style import MOST, labelled, legend, logarithmic, look, words
from lrsched.report.rates import Candidate, mean, spread

MOST_TICKS = 12

SIDEWAYS = 1.012
"""So far a candidate's points stand beside those of the one before, as a factor: bars upon each other tell nothing."""


def draw_rates(comparison: Comparison, folder: str) -> bytes:
    """Mean and standard deviation of the seeds at each rate; a star at the best, a cross above where runs diverged."""
    figure, (panel,) = panels(folder, 9, [4.2], margin=0.4 + 0.18 * min(len(comparison.candidates), 11))
    heights, tried, entries = list[float](), set[float](), list[tuple[Any, str]]()
    for number, row in enumerate(comparison.candidates):
        points = _points(row)
        if points:
            rates, means, spreads = zip(*points, strict=True)
            heights += means
            apart = SIDEWAYS ** (number - (len(comparison.candidates) - 1) / 2) if number < MOST else 1.0
            beside = [rate * apart for rate in rates]
            drawn = panel.errorbar(beside, means, yerr=spreads, capsize=3, markersize=5, **look(number))
            entries.append((drawn, row.name))
            _mark(panel, row, look(number)["color"], apart)
        if lost := _diverged(row):
            height = [0.97 - 0.03 * min(number, MOST)] * len(lost)
            style = {"linestyle": "none", "marker": "x", "color": look(number)["color"]}
            panel.plot(lost, height, transform=panel.get_xaxis_transform(), **style)
        tried |= {*lost, *(point[0] for point in points)}
    panel.set_xscale("log")
    if len(tried) == 1:
        panel.set_xlim(min(tried) / 2, max(tried) * 2)
    if len(tried) <= MOST_TICKS:
        panel.set_xticks(sorted(tried), [f"{rate:g}" for rate in sorted(tried)])
        panel.minorticks_off()
    if logarithmic(heights):
        panel.set_yscale("log")
    told = "mean and sd of the seeds at each rate; star: the best, cross: diverged"
    panel.set_title(words(f"{comparison.name}: {told}"), fontsize=11)
    panel.set_xlabel("optimizer.lr")
    panel.set_ylabel(labelled(comparison, comparison.metric.chosen_by))
    legend(figure, entries)
    return as_png(figure)


def _points(row: Candidate) -> list[tuple[float, float, float]]:
    """Rate, mean and spread of each rate whose runs all have finite values."""
    points = []
    for rate in row.rates:
        height = mean(rate.choosing.values())
        if _is_positive(rate.lr) and math.isfinite(height):
            points.append((float(rate.lr), height, spread(rate.choosing.values()) or 0.0))
    return points


def _diverged(row: Candidate) -> list[float]:
    """The rates at which a run diverged."""
    lost = [rate.lr for rate in row.rates if any(map(math.isinf, rate.choosing.values()))]
    return [float(rate) for rate in lost if _is_positive(rate)]


def _is_positive(rate: Any) -> bool:
    return isinstance(rate, (int, float)) and rate > 0


def _mark(panel: Any, row: Candidate, colour: str, apart: float) -> None:
    best = row.best
    if best is not None and _is_positive(best.lr):
        height = mean(best.choosing.values())
        if math.isfinite(height):
            panel.plot([best.lr * apart], [height], marker="*", markersize=15, color=colour, linestyle="none")
