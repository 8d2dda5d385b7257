"""The steps of each candidate to a target."""

from __future__ import annotations

import math

from lrsched.picture import as_png, panels
from lrsched.report.compare import Comparison
from lrsched.report.format import value
from lrsched.report.pictures.style import logarithmic, look, words
from lrsched.report.time_to_target import times
from lrsched.units import after

SHOWN = 30
"""Most candidates in the picture, the best ones."""


def draw_race(comparison: Comparison, target: float, folder: str) -> bytes:
    """A dot for each seed at its fastest rate, a bar at the median; who never gets there is said so."""
    rows = comparison.candidates[:SHOWN]
    figure, (panel,) = panels(folder, 9, [1.0 + 0.34 * len(rows)], margin=0.7)
    reached = list[float]()
    for number, row in enumerate(rows):
        found = sorted(times(row, comparison.metric, target).values())
        there = [steps for steps in found if math.isfinite(steps)]
        reached += there
        style = {"color": look(number)["color"], "linestyle": "none"}
        panel.plot(there, [number] * len(there), marker=look(number)["marker"], alpha=0.6, **style)
        if there and len(there) > len(found) / 2:
            median = (found[(len(found) - 1) // 2] + found[len(found) // 2]) / 2
            panel.plot([median], [number], marker="|", markersize=20, markeredgewidth=2.5, **style)
        if len(there) < len(found):
            told = "never" if not there else f"{len(found) - len(there)} of {len(found)} never"
            panel.annotate(told, (1.01, number), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    if logarithmic(reached):
        panel.set_xscale("log")
    else:
        panel.set_xlim(0, 1.04 * max(reached, default=1.0))
    panel.set_yticks(range(len(rows)), [words(row.name) for row in rows])
    panel.set_ylim(len(rows) - 0.5, -0.5)
    unit, way = comparison.unit(), "at most" if comparison.metric.mode == "min" else "at least"
    goal = value(unit, target) if unit == "%" else after(unit, value(unit, target))
    panel.set_title(words(f"{comparison.name}: steps until {comparison.metric.name} is {way} {goal}"), fontsize=11)
    panel.set_xlabel("step (a dot a seed at its fastest rate, a bar at the median)")
    return as_png(figure)
