"""The columns of a comparison, a row a candidate, and tables of columns that fit into a terminal.

What matters least is left out before a word or a number is broken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table

from lrsched.report.compare import Comparison
from lrsched.report.format import USUAL, around, difference, p_value, seeds, share, titled, value
from lrsched.report.pairs import Pair
from lrsched.report.rates import Candidate, mean, spread
from lrsched.units import metric_of

RULED: dict[str, Any] = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False, "show_edge": False}

GAP = 2
"""Columns of the terminal between two of a table."""

WORSE, WINS = f"worse by ({USUAL})", "P(win)"

PARTS = ("test", "val")
"""Where the second metric of the table is looked for: one of the task's own before its loss."""

SECOND = 3
"""How readily the second metric is left out, and each further one more so; then they stand in a table below."""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Args:
        title: above it.
        cells: one a row.
        spare: the greater, the sooner it is left out where there is no room; 0: never.
        text: whether its cells are words, which may be wrapped between them; else they are numbers.
    """

    title: str
    cells: tuple[str, ...]
    spare: int = 0
    text: bool = False

    @property
    def width(self) -> int:
        """The least that breaks no number and no word."""
        cells = [self.title, *self.cells]
        pieces = [piece for cell in cells for piece in (cell.split() if self.text else cell.split("\n"))]
        return max(map(cell_len, pieces), default=0)


def table(columns: Sequence[TableColumn], width: int, marked: int | None = None) -> Table:
    """A table of columns with one row marked. Numbers are broken only where wrapping the words is not enough."""
    roomy = _width(columns) <= width
    made = Table(**RULED)
    for column in columns:
        side = "left" if column.text else "right"
        made.add_column(column.title, justify=side, overflow="fold", no_wrap=roomy and not column.text)
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        made.add_row(*cells, style="bold green" if number == marked else None)
    return made


def split(first: TableColumn, rest: Sequence[TableColumn], width: int) -> Iterator[list[TableColumn]]:
    """Split columns over several tables where one has no room for all; each begins with the first column."""
    here = [first]
    for column in rest:
        if len(here) > 1 and _width([*here, column]) > width:
            yield here
            here = [first]
        here.append(column)
    yield here


def others(comparison: Comparison, width: int) -> list[TableColumn]:
    """The schedules and their other metrics, as many as there is room for, and at least one, if there is any."""
    rows = comparison.candidates
    first = TableColumn("schedule", tuple(row.name for row in rows), text=True)
    found = [
        TableColumn(title, tuple(_measured(unit, row.finals(name).values()) for row in rows))
        for name in _others(comparison)
        for unit in [comparison.unit(name)]
        for title in [titled(f"{name} ± sd", unit)]
    ]
    return next(split(first, found, width)) if found else []


def columns_that_fit(comparison: Comparison, width: int) -> list[TableColumn]:
    """The columns that a terminal has room for. Other metrics are left out first, then how often the best wins.

    Where the interval does not fit beside its difference, it is put below; then long titles are broken.
    """
    columns = all_columns(comparison)
    kept = _fitting(columns, width)
    if len(kept) < len(columns) and not any(column.title == "p" for column in kept):
        kept = _fitting([_interval_below(column) if column.title == WORSE else column for column in columns], width)
    return kept if _width(kept) <= width else [_title_broken(column) for column in kept]


def all_fit(comparison: Comparison, kept: Sequence[TableColumn]) -> bool:
    """Whether no metric of the test part was left out for want of room."""
    wanted, there = (sum(column.spare >= SECOND for column in columns) for columns in (all_columns(comparison), kept))
    return there == wanted


def _fitting(columns: Sequence[TableColumn], width: int) -> list[TableColumn]:
    kept = list(columns)
    while _width(kept) > width and any(column.spare for column in kept):
        kept.remove(max(kept, key=lambda column: column.spare))
    return kept


def _width(columns: Sequence[TableColumn]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _interval_below(column: TableColumn) -> TableColumn:
    return replace(column, cells=tuple(cell.replace(" (", "\n(", 1) for cell in column.cells))


def _title_broken(column: TableColumn) -> TableColumn:
    """The column with a title that is as narrow as its cells, if there are places to break it."""
    most = max(map(cell_len, column.cells), default=0)
    lines = [""]
    for piece in re.split(r"(?<=[/_ \n])", column.title):
        if lines[-1] and cell_len(f"{lines[-1]}{piece}".rstrip()) > most:
            lines.append("")
        lines[-1] += piece
    return column if column.text else replace(column, title="\n".join(line.strip() for line in lines))


def all_columns(comparison: Comparison) -> list[TableColumn]:
    """All columns, the best candidate in the first row."""
    metric, rows, unit = comparison.metric.name, comparison.candidates, comparison.unit()

    def column(title: str, cell: Callable[[Candidate], str], spare: int = 0, *, text: bool = False) -> TableColumn:
        return TableColumn(title, tuple(map(cell, rows)), spare, text)

    def final(name: str, spare: int) -> TableColumn:
        of = comparison.unit(name)
        return column(titled(name, of), lambda row: _measured(of, row.finals(name).values()), spare)

    columns = [
        column("schedule", lambda row: row.name, text=True),
        column("lr", lambda row: str(row.best.lr) if row.best else "–"),
        column(titled(f"{metric} ± sd", unit), lambda row: _measured(unit, row.values.values())),
        column("seeds", lambda row: seeds(row.values)),
        *(final(name, SECOND + place) for place, name in enumerate(beside(comparison))),
    ]
    if len(rows) > 1:
        columns.insert(0, column("", lambda row: "*" if row is rows[0] and row.finite else ""))
    pairs = {pair.other: pair for pair in comparison.pairs}

    def versus(title: str, cell: Callable[[Pair], str], spare: int = 0) -> TableColumn:
        return column(title, lambda row: cell(pairs[row.name]) if row.name in pairs else "", spare)

    if pairs:
        columns += [
            versus(WORSE, lambda pair: _worse(unit, pair)),
            versus("p", lambda pair: p_value(pair.p), 1),
            versus(WINS, lambda pair: "–" if pair.probability is None else share(pair.probability, pair.seeds), 2),
        ]
    return columns


def _worse(unit: str, pair: Pair) -> str:
    return "–" if pair.mean is None else difference(unit, pair.mean, pair.interval, pair.level)


def beside(comparison: Comparison) -> list[str]:
    """The metrics with a column beside the one compared: the first other one, and the task's own of the test part."""
    first, *rest = _others(comparison) or [""]
    tested = [name for name in rest if name.startswith("test/") and metric_of(name) != "loss"]
    return [name for name in (first, *tested) if name]


def _others(comparison: Comparison) -> list[str]:
    """The metrics beside the one compared: of the test part first, and another one before the same and the loss."""
    compared, measured = comparison.metric.name, dict.fromkeys(n for row in comparison.candidates for n in row.metrics)
    found = [name for name in measured if name != compared and name.partition("/")[0] in PARTS]

    def place(name: str) -> tuple[bool, int, bool]:
        part, metric = name.partition("/")[0], metric_of(name)
        return metric == metric_of(compared), PARTS.index(part), metric == "loss"

    return sorted(found, key=place)


def _measured(unit: str, values: Iterable[float | None]) -> str:
    known = [item for item in values if item is not None]
    lost = sum(not math.isfinite(item) for item in known)
    if lost:
        return f"{lost} of {len(known)} diverged"
    deviation = spread(known)
    return value(unit, mean(known)) if deviation is None else around(unit, mean(known), deviation)
