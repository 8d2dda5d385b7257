"""Read a table of one's own from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lrsched.data.counts import Counted
from lrsched.data.csv_table import Cells, read_cells
from lrsched.data.files import find_file
from lrsched.data.source import Source
from lrsched.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from lrsched.data.csv_coding import Coding
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class Table(Source):
    """A CSV file in UTF-8 whose first line names the columns; every column but those named below is an input.

    A column of which every cell is a number is one input. A column without a number becomes one input for each of
    its words in sorted order, 1 where the row has it and else 0 (one-hot). One that mixes them is refused, unless it
    is listed in ``categories``. Cells that are empty, or say NA, N/A, NaN, null, none or ? in a column of numbers, are
    missing; a row's place in its file is said as the line of an editor. Numbers are kept in float32: 7 digits.

    A target of words is a class, labelled 0, 1, … in the sorted order of the words; a target of numbers is a number,
    also if they are whole, unless ``kind`` is ``class``: then every number is a class, in rising order.

    Args:
        path: of the file, relative to the current folder.
        target: name of the column to predict, or a list of several, all numbers (or true and false): [N, K].
        kind: ``number``, ``class``, or ``auto``: by what the column holds.
        test_path: a file of the same columns that is the test part; null: one is held out.
        separator: what stands between two cells, or ``tab``.
        categories: columns that name categories, such as [zip], even if they look like numbers.
        drop: columns to leave out, such as [id].
        weight: column of what each row weighs in losses, at least 0.
        group: column of what rows must not be parted by a split, such as a patient.
        order: ``last`` holds out the last rows, for a time series.
        missing: ``refuse``; or what stands for a missing input: ``mean`` or ``median`` of the training part, or a
            number. Where a category is missing, that holds for each of its inputs.
        standardise: bring each input to mean 0 and standard deviation 1 over the training part; the task does so
            with a target of numbers.
        unit: of the target, for the terminal and reports.

    Raises:
        ConfigError: a column that the file does not have, or one that is asked to be two things.
        DataError: the file is missing or no such table; names the line and the column.
    """

    path: str
    target: str | tuple[str, ...]
    kind: Literal["auto", "number", "class"] = "auto"
    test_path: str | None = None
    separator: str = ","
    categories: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    order: Literal["shuffled", "last"] = "shuffled"
    missing: Literal["refuse", "mean", "median"] | float = "refuse"
    standardise: bool = True
    unit: str | None = None

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("target", self.target, "must name a column", "give dataset.target=COLUMN")
        if self.separator != "tab" and (len(self.separator) != 1 or self.separator in '"\r\n'):
            raise ConfigError("separator", self.separator, "must be one character, or tab", "as dataset.separator=';'")
        if self.kind == "class" and not isinstance(self.target, str):
            raise ConfigError("kind", self.kind, "takes one target, by its name", "several targets are numbers")
        if self.group is not None and self.order == "last":
            raise ConfigError("order", self.order, "keeps rows in order, and dataset.group deals them out; give one")
        given = [(name, "target") for name in self.targets] + [(name, "drop") for name in self.drop]
        given += [(name, key) for key in ("weight", "group") if (name := getattr(self, key)) is not None]
        used: dict[str, str] = {}
        for name, key in given + [(name, "categories") for name in self.categories]:
            if name in used and (used[name], key) != ("group", "categories"):
                remedy = "give dataset.kind=class" if (used[name], key) == ("target", "categories") else ""
                raise ConfigError(key, name, f"is the column of dataset.{used[name]} too", remedy)
            used[name] = key

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the columns to predict."""
        return (self.target,) if isinstance(self.target, str) else tuple(self.target)

    def count(self) -> Counted | None:
        """The rows, without a look at what they hold; None: the split minds groups, and the data alone tell it."""
        cells = self._read("path", self.path, count=True)
        if self.test_path is not None:
            self._read_test(cells, count=True)
        gap = 0 if self.order == "last" else None
        return None if self.group is not None else Counted(len(cells.lines), self.test_path is not None, gap=gap)

    def load(self) -> Data:
        """Inputs float32 [N, inputs]; targets int64 [N], or float32 [N] or [N, K]; weights float32 [N], if any."""
        from lrsched.data.csv_coding import text  # imports torch
        from lrsched.data.data import Data

        cells = self._read("path", self.path)
        codings = self._codings(cells)
        labels = self._labels(cells)
        train = self._part(cells, codings, labels)
        for name, y in zip(self.targets, train[1].reshape(len(cells.lines), -1).unbind(1), strict=True):
            if bool((y == y[0]).all()):
                held = text(cells.columns[name], 0)
                raise DataError(f"{cells.file}: the target {name!r} is {held} in every row; there is nothing to learn")
        facts: dict[str, Any] = {"feature_names": tuple(name for coding in codings for name in coding.inputs)}
        if labels is not None:
            facts |= {"class_names": labels, "classes": len(labels)}
        return Data(
            train,
            None if self.test_path is None else self._part(self._read_test(cells), codings, labels),
            facts if self.unit is None else {**facts, "unit": self.unit},
            strata=None if labels is None else train[1],
            groups=self._groups(cells),
            order=self.order,
            standardise=self.standardise,
            fill=None if self.missing == "refuse" else self.missing,
        )

    def inputs(self, path: str) -> Tensor:
        """The inputs in another file of such rows, float32 [N, inputs], coded as the training file tells.

        Its other columns are passed over: a target or a weight may stand there, or not.

        Raises:
            DataError: the file is missing, lacks a column, or holds a cell that cannot be used; names the line.
        """
        from lrsched.data.csv_coding import inputs

        codings = self._codings(self._read("path", self.path))
        file = Path(path).expanduser()
        if not file.is_file():
            raise DataError(f"{path}: there is no such file of rows")
        cells = read_cells(file, "\t" if self.separator == "tab" else self.separator, self.categories, self.drop)
        for coding in codings:
            if coding.name not in cells.columns:
                rule = f"{file}: has no column {coding.name!r}, which {self.path} has"
                remedy = f"add it, or train without it: dataset.drop=[{coding.name}]"
                raise DataError(f"{rule}; {_near(coding.name, cells.header)}; {remedy}")
        return inputs(cells, codings, missing=self.missing != "refuse")

    def _codings(self, cells: Cells) -> list[Coding]:
        """How each input is coded, learned from the training file."""
        from lrsched.data.csv_coding import learn

        special = {*self.targets, self.weight, self.group}
        names = [name for name in cells.columns if name not in special]
        if not names:
            raise DataError(
                f"{cells.file}: has no column but {', '.join(cells.columns)}; there is nothing to predict by"
            )
        return [learn(cells, name, names=name in self.categories) for name in names]

    def _read(self, key: str, path: str, *, count: bool = False) -> Cells:
        words = {*self.categories, *(() if self.group is None else (self.group,))}
        separator = "\t" if self.separator == "tab" else self.separator
        cells = read_cells(find_file(key, path), separator, words, self.drop, count=count)
        wanted = [(name, "target") for name in self.targets] + [(name, "categories") for name in self.categories]
        wanted += [(name, "weight") for name in (self.weight,) if name is not None]
        if key == "path":
            wanted += [(name, "drop") for name in self.drop]
            wanted += [(name, "group") for name in (self.group,) if name is not None]
        for name, asked in wanted:
            if name not in cells.header:
                raise ConfigError(asked, name, f"{cells.file} has no such column", _near(name, cells.header))
        if key == "path" and len(cells.lines) < 2:
            raise DataError(f"{cells.file}: holds one row; there is nothing to hold out")
        return cells

    def _read_test(self, train: Cells, *, count: bool = False) -> Cells:
        assert self.test_path is not None
        cells = self._read("test_path", self.test_path, count=count)
        for name in train.columns:
            if name not in cells.columns and name != self.group:
                rule = f"{cells.file}: has no column {name!r}, which {train.file} has"
                raise DataError(f"{rule}; add it, or leave it out: dataset.drop=[{name}]")
        for name in cells.columns:
            if name not in train.columns:
                rule = f"{cells.file}: has a column {name!r}, which {train.file} does not have"
                raise DataError(f"{rule}; take it out of the file")
        return cells

    def _labels(self, cells: Cells) -> tuple[str, ...] | None:
        """The classes by name, in order; None: the target is a number."""
        if self.kind == "number" or not isinstance(self.target, str):
            return None
        from lrsched.data.csv_coding import class_names, holds_words

        remedy = "dataset.kind=class if the column names classes"
        if self.kind == "auto" and not holds_words(cells, self.target, remedy):
            return None
        return class_names(cells, self.target)

    def _groups(self, cells: Cells) -> Tensor | None:
        if self.group is None:
            return None
        from lrsched.data.csv_coding import places

        return places(cells, self.group, tuple(filter(None, cells.columns[self.group].words)))

    def _part(self, cells: Cells, codings: Sequence[Coding], labels: tuple[str, ...] | None) -> tuple[Tensor, ...]:
        import torch

        from lrsched.data.as_data import as_weight
        from lrsched.data.csv_coding import inputs, numbers, places

        x = inputs(cells, codings, missing=self.missing != "refuse")
        if labels is not None:
            y = places(cells, self.targets[0], labels)
        elif isinstance(self.target, str):
            y = numbers(cells, self.target)
        else:
            y = torch.stack([numbers(cells, name, truth=True) for name in self.targets], 1)
        if self.weight is None:
            return x, y
        weight = numbers(cells, self.weight)
        negative = (weight < 0).nonzero()
        if len(negative):
            row = int(negative[0])
            raise cells.error(row, self.weight, f"{weight[row].item()} is no weight: it must be at least 0")
        return x, y, as_weight(f"{cells.file}, column {self.weight!r}", weight)


def _near(name: str, header: Sequence[str]) -> str:
    """The column nearest to a name; or the separator, where a header was not cut."""
    other = next((sign for sign in ";\t|," if len(header) == 1 and sign in header[0]), None)
    if other is None:
        return nearest(name, header)
    shown = "tab" if other == "\t" else f"'{other}'"
    return f"the header is one name, {header[0]!r}; give dataset.separator={shown}"
