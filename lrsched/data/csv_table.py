"""Read the columns of a CSV file: numbers as numbers, all else as words."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lrsched.data.files import unreadable
from lrsched.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""What a missing number looks like, in small letters."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a file, cell by cell.

    Args:
        name: from the header.
        as_words: every cell is a word, whatever it looks like.
        numbers: float64; NaN where the cell is no number.
        codes: number of the word in ``words``; -1 where the cell is a number.
        words: what is no number, and how often it stands there.
    """

    name: str
    as_words: bool = False
    numbers: array[float] = field(default_factory=lambda: array("d"))
    codes: array[int] = field(default_factory=lambda: array("i"))
    words: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, cells: Sequence[str]) -> None:
        """Append cells."""
        if not self.as_words:
            try:
                self.numbers.extend(map(float, cells))
            except ValueError:
                del self.numbers[len(self.codes) :]
            else:
                self.codes.frombytes(b"\xff" * (self.codes.itemsize * len(cells)))  # -1
                self._nan_is_missing(len(cells))
                return
        for cell in cells:
            self._add_one(cell.strip())

    def _add_one(self, cell: str) -> None:
        number = math.nan
        if not self.as_words:
            try:
                number = float(cell)
            except ValueError:
                pass
            else:
                cell = "nan"  # as :meth:`_nan_is_missing` calls it
        self.numbers.append(number)
        self.codes.append(self.words.setdefault(cell, len(self.words)) if math.isnan(number) else -1)

    def _nan_is_missing(self, count: int) -> None:
        """Python reads nan as a number: here it is a word for one that is missing."""
        start = len(self.numbers) - count
        for place in np.flatnonzero(np.isnan(np.frombuffer(self.numbers)[start:])) + start:
            self.codes[int(place)] = self.words.setdefault("nan", len(self.words))


@dataclass(frozen=True, eq=False)
class Cells:
    """A CSV file.

    Args:
        file: its path.
        columns: by name, in the file's order.
        lines: the line of each row in the file, counted from 1: the header's.
        header: every name, those that were left out too.
    """

    file: Path
    columns: dict[str, Column]
    lines: Sequence[int]
    header: tuple[str, ...]

    def error(self, row: int, name: str, what: str) -> DataError:
        """What is wrong with a cell."""
        return DataError(f"{self.file}, line {self.lines[row]}, column {name!r}: {what}")


def read_cells(
    file: Path, separator: str, words: Collection[str], drop: Collection[str], *, count: bool = False
) -> Cells:
    """Read a file in UTF-8 whose first line names the columns; blank lines are passed over.

    Args:
        file: its path.
        separator: what stands between cells.
        words: columns of which every cell is a word.
        drop: columns to leave out.
        count: the rows alone are wanted: columns stay empty.

    Raises:
        DataError: the file cannot be read, is no such table, or a row has more or fewer cells than the header.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(_lines(file, stream), delimiter=separator, strict=True)
            return _read(file, reader, words, drop, count)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: is not UTF-8 (byte {error.object[error.start]:#04x}: {error.reason}); "
            "save it as UTF-8, without compression"
        ) from error
    except OSError as error:
        raise unreadable(file, error) from error


def _lines(file: Path, stream: TextIO) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        if "\0" in line:
            raise DataError(f"{file}, line {number}: holds a NUL character, which no table of text has; is it UTF-16?")
        yield line


def _read(file: Path, reader: Any, words: Collection[str], drop: Collection[str], count: bool) -> Cells:
    lines: array[int] = array("q")
    columns: list[Column | None] = []
    header: tuple[str, ...] = ()
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not any(row) and len(row) < 2:
                continue  # a blank line
            if not columns:
                header = tuple(name.strip() for name in row)
                columns = _columns(file, header, words, drop)
                continue
            if len(row) != len(columns):
                raise DataError(
                    f"{file}, line {reader.line_num}: has {len(row)} cells, and the header {len(columns)}; "
                    "a cell that holds the separator stands in quotes"
                )
            lines.append(reader.line_num)
            if count:
                continue
            rows.append(row)
            if len(rows) == 4096:
                _add(columns, rows)
        _add(columns, rows)
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: cannot be read as CSV ({error})") from error
    if not columns:
        raise DataError(f"{file}: is empty; the first line names the columns")
    if not lines:
        raise DataError(f"{file}: holds a header and no row")
    kept = {column.name: column for column in columns if column is not None}
    return Cells(file, kept, lines, header)


def _add(columns: Sequence[Column | None], rows: list[list[str]]) -> None:
    for column, cells in zip(columns, zip(*rows, strict=True), strict=False):
        if column is not None:
            column.add(cells)
    rows.clear()


def _columns(file: Path, names: Sequence[str], words: Collection[str], drop: Collection[str]) -> list[Column | None]:
    """The columns that a header names; None where one is dropped."""
    if all(map(_is_number, names)):
        raise DataError(f"{file}: the first line must name the columns, and holds {', '.join(names[:4])}, all numbers")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(
                f"{file}: two columns are called {name!r}, {names.index(name) + 1} and {place + 1} (from 1)"
            )
        if not name and name not in drop:
            raise DataError(
                f"{file}: column {place + 1} (from 1) has no name; name it, or leave it out by dataset.drop=[''] "
                "(pandas writes its index so, unless told index=False)"
            )
    return [None if name in drop else Column(name, name in words) for name in names]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
