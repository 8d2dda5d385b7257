"""What the pictures share: colours with dashes, a legend outside the data, logarithmic axes where they help."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lrsched.report.compare import Comparison
from lrsched.report.format import titled
from lrsched.report.stats import Floats
from lrsched.report.tables.words import one_line

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito, https://jfly.uni-koeln.de/color: told apart by colour-blind readers too. No yellow: white paper."""

DASHES: Sequence[Any] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = "osD^vPX"

MOST = 10
"""So many candidates have a colour; those after them are grey."""

WIDE = 10.0
"""Positive values that differ by more than this factor go on a logarithmic axis."""

FEW = 25
"""Up to so many points of a line have markers: between them nothing was measured."""

LETTERS = 88
"""Of a line in a title or a legend."""

GREY = "#9a9a9a"


def look(number: int) -> dict[str, Any]:
    """Colour, dashes and marker of a candidate, all of them its own among the first ones."""
    if number >= MOST:
        return {"color": GREY, "linestyle": "-", "marker": "."}
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def line(number: int) -> dict[str, Any]:
    """The same of a line without markers."""
    return {"linewidth": 0.8 if number >= MOST else 1.8, **look(number), "marker": ""}


def words(text: str) -> str:
    """A text that may come from a stranger's config, in lines that fit: no mathematics, and no label that is hidden.

    >>> words("a$b$"), words("_x"), words("a\\nb")
    ('a\\\\$b\\\\$', ' _x', 'a b')
    """
    lines = textwrap.wrap(one_line(text).replace("$", r"\$"), LETTERS, break_long_words=True) or [""]
    return "\n".join(f" {line}" if line.startswith("_") else line for line in lines)


def labelled(comparison: Comparison, name: str) -> str:
    """A metric with its unit, as the label of an axis; fractions are drawn as such."""
    return words(titled(name, comparison.unit(name)))


def legend(figure: Any, entries: Sequence[tuple[Any, str]]) -> None:
    """Put a legend below the panels, a line an entry; those in grey have one together."""
    own = [(handle, words(text)) for handle, text in entries[:MOST]]
    if len(entries) > MOST:
        own.append((entries[MOST][0], f"{len(entries) - MOST} more"))
    if own:
        figure.legend(*zip(*own, strict=True), loc="outside lower left", frameon=False, handlelength=4, fontsize=9)


def logarithmic(values: Iterable[float]) -> bool:
    """Whether a logarithmic axis helps: all are positive, and they differ by more than WIDE."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > WIDE * min(finite)


def band(panel: Any, steps: Floats, values: Floats, number: int) -> Any:
    """Draw the mean over the runs, and a band from the lowest to the highest; return the line."""
    few = {"marker": look(number)["marker"], "markersize": 3} if len(steps) <= FEW else {}
    (drawn,) = panel.plot(steps, values.mean(axis=0), **{**line(number), **few})
    if len(values) > 1 and number < MOST:
        low, high = values.min(axis=0), values.max(axis=0)
        panel.fill_between(steps, low, high, color=look(number)["color"], alpha=0.15, linewidth=0)
    return drawn


def together(tables: Iterable[dict[float, float]]) -> tuple[Floats, Floats]:
    """The steps that all tables have which have any, in order, and values[table, step]."""
    measured = [table for table in tables if table]
    shared = sorted(set.intersection(*map(set, measured))) if measured else []
    return np.array(shared, dtype=np.float64), np.array([[table[step] for step in shared] for table in measured])
