"""A comparison as CSV: a number a cell, with the digits of the terminal's table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence

from lrsched.report.columns import beside
from lrsched.report.compare import Comparison
from lrsched.report.format import FEWEST, seeds
from lrsched.report.pairs import Pair
from lrsched.report.rates import Candidate, mean, spread
from lrsched.report.report import Report
from lrsched.report.tables.words import one_line
from lrsched.report.time_to_target import Race, scores
from lrsched.units import PERCENT, digits

PAIRED = ("worse by", "low", "high", "level", "p", "P(win)")
"""The columns of the best candidate against this one; differences of fractions are in percentage points."""

_FORMULAS = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""

Cells = list[tuple[str, str]]
"""The cells of a row, each with the title of its column."""


def sheet(report: Report) -> str:
    """All workloads in one table, a row a candidate; where there are several, a first column names them.

    A mean and its standard deviation are two columns, and so are the ends of an interval. A cell is empty where the
    terminal has a dash, and says how many diverged where no mean can be given.
    """
    several = len(report.comparisons) > 1
    rows: list[dict[str, str]] = []
    for number, comparison in enumerate(report.comparisons):
        race = report.races[number] if report.races else None
        named = [("workload", plain(comparison.name))] if several else []
        rows += [dict([*named, *_row(report, comparison, race, row)]) for row in comparison.candidates]
    text = io.StringIO()
    table = csv.DictWriter(text, list(dict.fromkeys(title for row in rows for title in row)), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def plain(text: str) -> str:
    """Text in one line, that no spreadsheet takes for a formula: an apostrophe goes before one.

    >>> plain("=cmd|' /C calc'!A0"), plain("a=b"), plain("\\t@SUM(1)")
    ("'=cmd|' /C calc'!A0", 'a=b', "'@SUM(1)")
    """
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULAS) else line


def _row(report: Report, comparison: Comparison, race: Race | None, row: Candidate) -> Cells:
    metric, unit = comparison.metric.name, comparison.unit()
    cells = [("schedule", plain(row.name)), ("lr", _rate(row))]
    cells += _measured(metric, unit, row.values.values())
    cells.append(("seeds", plain(seeds(row.values))))
    for name in beside(comparison):
        cells += _measured(name, comparison.unit(name), row.finals(name).values())
    if comparison.pairs:
        pair = next((pair for pair in comparison.pairs if pair.other == row.name), None)
        titles = [_titled(title, "points" if unit == PERCENT else unit) for title in PAIRED[:3]]
        values = ("",) * len(PAIRED) if pair is None else tuple(_paired(unit, pair))
        cells += zip([*titles, *PAIRED[3:]], values, strict=True)
    if race is not None:
        steps, score = race.steps[row.name], scores(report.races)[row.name]
        goal = _titled(f"steps to {comparison.metric.name} {digits(unit, race.target)[0]}", unit)
        cells += [(goal, f"{steps:.0f}" if math.isfinite(steps) else "never"), ("score", f"{score:.4f}")]
    return cells


def _rate(row: Candidate) -> str:
    if row.best is None:
        return ""
    return str(row.best.lr) if isinstance(row.best.lr, (int, float)) else plain(str(row.best.lr))


def _titled(title: str, unit: str) -> str:
    return plain(f"{title} ({unit})" if unit else title)


def _measured(name: str, unit: str, values: Iterable[float | None]) -> Cells:
    """The mean and the standard deviation of a metric, in two columns."""
    known = [item for item in values if item is not None]
    titles = [_titled(name, unit), _titled(f"{name} sd", unit)]
    lost = sum(not math.isfinite(item) for item in known)
    deviation = spread(known)
    if lost:
        shown: Sequence[str] = [f"{lost} of {len(known)} diverged", ""]
    elif deviation is None:
        shown = [*(digits(unit, mean(known)) if known else [""]), ""]
    else:
        shown = digits(unit, mean(known), deviation)
    return list(zip(titles, shown, strict=True))


def _paired(unit: str, pair: Pair) -> Iterator[str]:
    if pair.mean is None:
        yield from ("", "", "")
    else:
        first, *ends = digits(unit, pair.mean, *(pair.interval or ()))
        yield from (first, *(ends or ("", "")))
    yield f"{100 * pair.level:.0f}" if pair.level and pair.seeds >= FEWEST and pair.mean is not None else ""
    yield "" if pair.p is None else f"{pair.p:.2g}"
    yield "" if pair.probability is None else f"{pair.probability:.2g}"
