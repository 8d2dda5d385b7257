"""Tables that fit into a terminal: what is least important goes before a word or a number is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table

RULED: dict[str, Any] = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False, "show_edge": False}

GAP = 2
"""Columns of the terminal between two of a table."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: above it.
        cells: one a row.
        spare: the greater, the sooner it is left out where there is no room; 0: never.
        text: of words, between which it may be broken; else of numbers.
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


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that there is room for, the most important ones."""
    kept = list(columns)
    while _width(kept) > width and any(column.spare for column in kept):
        kept.remove(max(kept, key=lambda column: column.spare))
    return kept


def table(columns: Sequence[Column], width: int, marked: int | None = None) -> Table:
    """A table of columns, one row of it marked. Only where no words are left to be broken are numbers."""
    roomy = _width(columns) <= width
    made = Table(**RULED)
    for column in columns:
        side = "left" if column.text else "right"
        made.add_column(column.title, justify=side, overflow="fold", no_wrap=roomy and not column.text)
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        made.add_row(*cells, style="bold green" if number == marked else None)
    return made


def parts(first: Column, rest: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """Columns for several tables below each other, where one has no room for all; each begins with the first one."""
    here = [first]
    for column in rest:
        if len(here) > 1 and _width([*here, column]) > width:
            yield here
            here = [first]
        here.append(column)
    yield here


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
