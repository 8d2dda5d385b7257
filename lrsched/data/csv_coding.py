"""Turn the columns of a CSV file into numbers: by what they hold in the training file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lrsched.data.csv_table import MISSING, Cells, Column
from lrsched.errors import DataError

TRUTH = {"false": 0.0, "true": 1.0}

FILL = "; mend it, or have it filled in by dataset.missing=mean, median or a number"
FILL_ALL = (
    "mend them, have them filled in by dataset.missing=mean, median or a number, or leave columns out by dataset.drop"
)
NEEDED = "; mend it, or leave the row out: what is predicted, weighed or grouped by is not filled in"


@dataclass(frozen=True)
class Coding:
    """How a column becomes numbers.

    Args:
        name: of the column.
        categories: its words in sorted order; None: it holds numbers.
    """

    name: str
    categories: tuple[str, ...] | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the numbers that it becomes: itself, or one for each category."""
        return (self.name,) if self.categories is None else tuple(f"{self.name}={word}" for word in self.categories)


def learn(cells: Cells, name: str, *, names: bool = False) -> Coding:
    """See what a column holds: numbers in every cell, or words in every cell; an empty cell is neither.

    Args:
        cells: the training file.
        name: of the column.
        names: the column was asked to name categories.

    Raises:
        DataError: no cell holds anything, some hold numbers and some words, or most words stand in one row.
    """
    column = cells.columns[name]
    found = tuple(sorted(word for word in column.words if word))
    if names and found:
        return Coding(name, found)
    if not holds_words(cells, name, f"dataset.categories=[{name}] if the column names categories"):
        if min(column.codes) >= 0:
            raise cells.error(0, name, f"is empty, as in every row; leave it out by dataset.drop=[{name}]")
        return Coding(name)
    if len(found) > max(20, len(cells.lines) // 2):
        raise cells.error(
            0,
            name,
            f"{text(column, 0)!r} is one of {len(found)} words in {len(cells.lines)} rows, too many to be categories; "
            f"leave the column out by dataset.drop=[{name}], or insist by dataset.categories=[{name}]",
        )
    return Coding(name, found)


def holds_words(cells: Cells, name: str, remedy: str) -> bool:
    """Whether a column holds words; else it holds numbers, or nothing.

    Args:
        cells: the training file.
        name: of the column.
        remedy: what to do about a column that holds both.

    Raises:
        DataError: it holds both; names the first line of what it holds less.
    """
    column, codes = cells.columns[name], _codes(cells.columns[name])
    words = np.isin(codes, [code for word, code in column.words.items() if word.lower() not in MISSING])
    numbers = codes < 0
    if words.any() and numbers.any():
        few, many, is_not, most = words, numbers, "is no number", "are"
        if words.sum() > numbers.sum():
            few, many, is_not, most = numbers, words, "is a number", "hold words"
        row = int(np.flatnonzero(few)[0])
        rule = f"{text(column, row)!r} {is_not}, and {many.sum()} of {len(codes)} cells of the column {most}"
        raise cells.error(row, name, f"{rule}; mend it, or give {remedy}")
    return bool(words.any())


def class_names(cells: Cells, name: str) -> tuple[str, ...]:
    """What stands in a column: numbers in rising order, then words in sorted order."""
    column = cells.columns[name]
    values = np.unique(np.array(column.numbers)[_codes(column) < 0])
    return tuple(map(_word, values.tolist())) + tuple(
        sorted(word for word in column.words if word and not (len(values) and word.lower() in MISSING))
    )


def inputs(cells: Cells, codings: Sequence[Coding], *, missing: bool) -> Tensor:
    """Every input of every row: float32 [N, inputs].

    Args:
        cells: the training or the test file.
        codings: of the columns.
        missing: an empty cell becomes NaN; or it is refused.

    Raises:
        DataError: names the line and the column of the first cell that cannot be used, or each column with empty ones.
    """
    if not missing:
        _refuse_gaps(cells, codings)
    x = torch.zeros(len(cells.lines), sum(len(coding.inputs) for coding in codings))
    place = 0
    for coding in codings:
        width = len(coding.inputs)
        part = x[:, place : place + width]
        if coding.categories is None:
            part[:, 0] = numbers(cells, coding.name, missing=missing, remedy=FILL)
        else:
            labels = places(cells, coding.name, coding.categories, missing=missing, remedy=FILL)
            there = (labels >= 0).nonzero().flatten()
            part[there, labels[there]] = 1
            part[labels < 0] = torch.nan
        place += width
    return x


def _refuse_gaps(cells: Cells, codings: Sequence[Coding]) -> None:
    """Refuse cells that are missing in several columns, all of them at once."""
    gaps: dict[str, np.ndarray] = {}
    for coding in codings:
        words, known = cells.columns[coding.name].words, coding.categories or ()
        missing = [code for word, code in words.items() if word.lower() in MISSING and word not in known]
        rows = np.flatnonzero(np.isin(_codes(cells.columns[coding.name]), missing)) if missing else np.empty(0, int)
        if len(rows):
            gaps[coding.name] = rows
    if len(gaps) > 1:
        of = [f"{name!r} {len(rows)} (first in line {cells.lines[int(rows[0])]})" for name, rows in gaps.items()]
        raise DataError(f"{cells.file}: cells are missing in {len(gaps)} columns: {', '.join(of)}; {FILL_ALL}")


def numbers(cells: Cells, name: str, *, missing: bool = False, truth: bool = False, remedy: str = NEEDED) -> Tensor:
    """A column of numbers: float32 [N].

    Args:
        cells: the file.
        name: of the column.
        missing: an empty cell becomes NaN; or it is refused.
        truth: true and false are 1 and 0.
        remedy: what to do about an empty cell, for the message.

    Raises:
        DataError: names the line of the first cell that is no number.
    """
    column = cells.columns[name]
    found, codes = np.array(column.numbers), _codes(column)
    for word, code in column.words.items():
        if truth and word.lower() in TRUTH:
            found[codes == code] = TRUTH[word.lower()]
        elif word.lower() not in MISSING:
            row = int(np.flatnonzero(codes == code)[0])
            raise cells.error(row, name, f"{word!r} is not a number")
    _check_there(cells, name, np.isnan(found) & (not missing), remedy)
    with np.errstate(over="ignore"):
        made = found.astype(np.float32)
    beyond = np.flatnonzero(np.isinf(made))
    if len(beyond):
        row = int(beyond[0])
        raise cells.error(row, name, f"{found[row]} is not finite, or beyond float32 (3.4e38)")
    return torch.from_numpy(made)


def places(cells: Cells, name: str, known: Sequence[str], *, missing: bool = False, remedy: str = NEEDED) -> Tensor:
    """The place of each cell among known words: int64 [N]; -1 where a cell is empty.

    Args:
        cells: the file.
        name: of the column.
        known: the words.
        missing, remedy: as for :func:`numbers`.

    Raises:
        DataError: names the line of the first empty cell, unless it may be missing, or of a word that is not known.
    """
    column, place = cells.columns[name], {word: n for n, word in enumerate(known)}
    codes = _codes(column)
    values, which = np.unique(np.where(codes < 0, np.array(column.numbers), 0.0), return_inverse=True)
    of_value = np.array([place.get(_word(value), -2) for value in values.tolist()])
    of_word = np.array([place.get(word, -1 if word.lower() in MISSING else -2) for word in column.words] or [-2])
    found = np.where(codes < 0, of_value[which], of_word[codes])
    _check_there(cells, name, (found == -1) & (not missing), remedy)
    strange, empty = np.flatnonzero(found == -2), ", or leave the cell empty, to be filled as in training"
    if len(strange):
        row = int(strange[0])
        shown = ", ".join(known[:6]) + (", …" if len(known) > 6 else "")
        rule = f"{text(column, row)!r} stands in no row of the training file; known are {shown}"
        raise cells.error(row, name, f"{rule}; give one of these, or train with rows of it{empty if missing else ''}")
    return torch.from_numpy(found.astype(np.int64))


def text(column: Column, row: int) -> str:
    """What a cell holds."""
    code = column.codes[row]
    if code < 0:
        return _word(column.numbers[row])
    return next(word for word, its in column.words.items() if its == code)


def _word(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)


def _codes(column: Column) -> np.ndarray:
    return np.array(column.codes, dtype=np.int32)


def _check_there(cells: Cells, name: str, absent: np.ndarray, remedy: str) -> None:
    rows = np.flatnonzero(absent)
    if len(rows):
        held = text(cells.columns[name], int(rows[0]))
        what = f"{held!r} is" if held else "the cell is"
        more = f" ({len(rows)} cells of the column are)" if len(rows) > 1 else ""
        raise cells.error(int(rows[0]), name, f"{what} missing{more}{remedy}")
