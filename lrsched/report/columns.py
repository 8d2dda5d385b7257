"""The columns of a comparison: a row a candidate, the best first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from lrsched.report.compare import Comparison
from lrsched.report.format import around, difference, p_value, seeds, share, value
from lrsched.report.layout import Column, fitting
from lrsched.report.pairs import Pair
from lrsched.report.rates import Candidate, mean, spread

WORSE, WINS = "worse by (95 %)", "P(win)"

BESIDE = ("test/accuracy", "test/loss", "val/accuracy", "val/loss")
"""What is shown beside the metric that is compared: the first of these that there is."""


def fitted(comparison: Comparison, width: int) -> list[Column]:
    """The columns that a terminal has room for; the metric beside goes first, then how often the best one wins.

    Where an interval has no room either, it is put below its difference.
    """
    columns = _columns(comparison)
    kept = fitting(columns, width)
    if len(kept) < len(columns) and not any(column.title == "p" for column in kept):
        below = [_broken(column) if column.title == WORSE else column for column in columns]
        return fitting(below, width)
    return kept


def _columns(comparison: Comparison) -> list[Column]:
    metric, rows = comparison.metric.name, comparison.candidates
    several = len(rows) > 1

    def column(title: str, cell: Callable[[Candidate], str], spare: int = 0, *, text: bool = False) -> Column:
        return Column(title, tuple(map(cell, rows)), spare, text)

    columns = [
        column("schedule", lambda row: row.name, text=True),
        column("lr", lambda row: str(row.best.lr) if row.best else "–"),
        column(f"{metric} ± sd", lambda row: _measured(metric, row.values.values())),
        column("seeds", lambda row: seeds(row.values)),
        *(column(name, lambda row, it=name: _measured(it, _others(row, it)), 3) for name in _beside(comparison)),
    ]
    if several:
        best = rows[0]
        columns.insert(0, column("", lambda row: "*" if row is best and row.finite else ""))
    if comparison.pairs:
        pairs = {pair.other: pair for pair in comparison.pairs}
        columns += [
            column(WORSE, lambda row: _worse(pairs.get(row.name), metric)),
            column("p", lambda row: _p(pairs.get(row.name)), 1),
            column(WINS, lambda row: _wins(pairs.get(row.name)), 2),
        ]
    return columns


def _broken(column: Column) -> Column:
    """With the interval below the difference."""
    return replace(column, cells=tuple(cell.replace(" (", "\n(", 1) for cell in column.cells))


def _beside(comparison: Comparison) -> list[str]:
    there = {
        name for row in comparison.candidates if row.best for run in row.best.runs.values() for name in run.metrics
    }
    return [name for name in BESIDE if name != comparison.metric.name and name in there][:1]


def _others(row: Candidate, name: str) -> list[float]:
    """Another metric of the runs at the chosen rate."""
    found = [run.metrics.get(name) for run in row.best.runs.values() if run.finished] if row.best else []
    return [value for value in found if value is not None]


def _measured(metric: str, values: Iterable[float]) -> str:
    known = list(values)
    lost = sum(not math.isfinite(item) for item in known)
    if lost:
        return f"{lost} of {len(known)} diverged"
    deviation = spread(known)
    return value(metric, mean(known)) if deviation is None else around(metric, mean(known), deviation)


def _worse(pair: Pair | None, metric: str) -> str:
    if pair is None:
        return ""
    return "–" if pair.mean is None else difference(metric, pair.mean, pair.interval)


def _p(pair: Pair | None) -> str:
    return "" if pair is None else p_value(pair.p)


def _wins(pair: Pair | None) -> str:
    if pair is None:
        return ""
    return "–" if pair.probability is None else share(pair.probability, pair.seeds)
