"""Make samples once and write their numbers to files, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from lrsched.data.cache.form import Column, Form, Numbers, form_of, parts
from lrsched.data.stream.fetch import Fetch, Part, Wanted
from lrsched.data.stream.form import as_column, shape_of
from lrsched.data.stream.keyed import apart
from lrsched.data.stream.labels import Labels
from lrsched.errors import DataError

CHUNK = 2**22
"""Bytes that are decoded before they are written, about."""

MOST = 1024
"""Samples of a chunk."""

VALUES = 2**16
"""Different values of targets that are listed; where there are more, each batch is looked at."""


FEW = 64
"""Different values that are looked for one by one."""


@dataclass(frozen=True)
class Chunk:
    """Decoded samples, to be written.

    Args:
        flat: for each column, the numbers of all samples, one after the other.
        shapes: for each column int64 [n, dimensions], or None: all have the shape of the first sample of all.
        labels: for each value of the targets the first sample that has it; None: too many, or no whole numbers.
    """

    flat: list[Tensor]
    shapes: list[Tensor | None]
    labels: dict[int, int] | None


class Decode(Fetch):
    """Gives chunks of decoded samples, here or in a worker.

    Args:
        part: the whole data set.
        form: of its first sample.
        even: refuse samples of other shapes.
        labels: what targets may be, or None: not known.
    """

    def __init__(self, part: Part, form: Form, labels: Labels | None, *, even: bool) -> None:
        super().__init__(part, None, 0, labels)
        self._form, self._even = form, even

    def _batch(self, wanted: Wanted) -> Any:
        numbers, items = wanted.numbers, self.items(wanted)
        columns: list[list[Numbers]] = [[] for _ in self._form.columns]
        for number, item in zip(numbers, items, strict=True):
            for parts_of, array in zip(columns, self._fitting(number, item), strict=True):
                parts_of.append(array)
        flat, shapes, labels = list[Tensor](), list["Tensor | None"](), None
        for n, (column, arrays) in enumerate(zip(self._form.columns, columns, strict=True)):
            even = all(array.shape == column.shape for array in arrays)
            joined = torch.from_numpy(np.concatenate([array.reshape(-1) for array in arrays]))
            self._refuse_wrong(n, joined, arrays, numbers)
            if n == self._form.target and not joined.is_floating_point():
                labels = _first_of_each(joined.numpy(), arrays, numbers)
            flat.append(joined)
            shapes.append(None if even else torch.tensor([array.shape for array in arrays], dtype=torch.int64))
        return Chunk(flat, shapes, labels)

    def _fitting(self, number: int, item: Any) -> list[Numbers]:
        """The columns of a sample that has the form of the first."""
        try:
            named = parts(item)
        except DataError as error:
            raise DataError(f"{self.where(number)} {error}") from error
        arrays = list(named.values())
        wanted = {column.name: column for column in self._form.columns}
        if list(named) == list(wanted) and all(map(self._fits, wanted.values(), arrays)):
            return arrays
        first = f"{self.where(number)} is {shape_of(item)}, and sample 0 {self._said()}"
        other = "bring items to one form in __getitem__"
        pad = ", or give dataset.collate, as dataset.collate=pad" if self._even else " but for the sizes of dimensions"
        raise DataError(f"{first}; {other}{pad}, or give dataset.cache=false")

    def _fits(self, column: Column, array: Numbers) -> bool:
        same = array.shape == column.shape if self._even else array.ndim == len(column.shape)
        return same and array.dtype.str == column.dtype

    def _said(self) -> str:
        """The form of the first sample in words."""
        told = [f"{np.dtype(column.dtype).name} {list(column.shape)}" for column in self._form.columns]
        if self._form.kind == "mapping":
            return "{" + ", ".join(f"{c.name}: {text}" for c, text in zip(self._form.columns, told, strict=True)) + "}"
        return told[0] if self._form.kind == "tensor" else f"({', '.join(told)})"

    def _refuse_wrong(self, n: int, joined: Tensor, arrays: Sequence[Numbers], numbers: Sequence[int]) -> None:
        """Refuse numbers that are not finite, and targets that are no label, as batches are looked at."""
        column, wrong, rule = as_column("", joined), None, ""
        if column.is_floating_point() and not torch.isfinite(column.sum()):
            wrong, rule = ~column.isfinite(), "every value must be finite"
        labels = self._labels if n == self._form.target else None
        if wrong is None and labels is not None and labels.looks_at(column):
            wrong, rule = labels.wrong(column), labels.rule
        if wrong is not None and bool(wrong.any()):
            place = int(wrong.nonzero()[0])
            number = numbers[_sample(place, arrays)]
            name = self._form.columns[n].name
            raise DataError(f"{self.where(number)} holds {column[place].item()} in {name}; {rule}")


def first_form(part: Part) -> Form:
    """The form of the first sample.

    Raises:
        DataError: it cannot be made, or kept.
    """
    fetch = Fetch(part, None, 0)
    with apart():
        item = fetch.items(Wanted([0]))[0]
    try:
        return form_of(item)
    except DataError as error:
        raise DataError(f"{fetch.where(0)} {error}") from error


def chunks(samples: int, form: Form) -> Iterator[Wanted]:
    """The samples of each chunk."""
    size = sum(np.dtype(column.dtype).itemsize * int(np.prod(column.shape)) for column in form.columns)
    many = max(1, min(MOST, CHUNK // max(1, size)))
    for start in range(0, samples, many):
        yield Wanted(range(start, min(start + many, samples)))


class Written:
    """Files that chunks are written to, one after the other.

    Args:
        folder: for the files.
        form: of the first sample.
    """

    def __init__(self, folder: Path, form: Form) -> None:
        self._folder, self._form = folder, form
        self._files: list[BinaryIO] = [open(folder / f"{n}.bin", "wb") for n in range(len(form.columns))]  # noqa: SIM115
        self._shapes: list[list[tuple[int, Tensor | None]]] = [[] for _ in form.columns]
        self.samples, self.labels = 0, dict[int, int]()
        self.listed = form.target is not None and np.dtype(form.columns[form.target].dtype).kind in "biu"

    def add(self, chunk: Chunk, samples: int) -> None:
        """Write the next samples.

        Raises:
            OSError: the file system refused.
        """
        for file, flat in zip(self._files, chunk.flat, strict=True):
            file.write(flat.numpy().data)
        for known, shapes in zip(self._shapes, chunk.shapes, strict=True):
            known.append((samples, shapes))
        self.samples += samples
        if chunk.labels is None:
            self.listed = False
        elif self.listed:
            for value, number in chunk.labels.items():
                self.labels.setdefault(value, number)
            self.listed = len(self.labels) <= VALUES

    @property
    def uneven(self) -> list[bool]:
        """For each column, whether samples differ in shape."""
        return [any(shapes is not None for _, shapes in known) for known in self._shapes]

    def end(self) -> None:
        """Write the shapes and places of uneven samples."""
        for n, (column, uneven) in enumerate(zip(self._form.columns, self.uneven, strict=True)):
            if uneven:
                first = torch.tensor([column.shape], dtype=torch.int64)
                each = [first.expand(count, -1) if shapes is None else shapes for count, shapes in self._shapes[n]]
                shapes = torch.cat(each)
                offsets = torch.cat([torch.zeros(1, dtype=torch.int64), shapes.prod(1).cumsum(0)])
                (self._folder / f"{n}.shapes").write_bytes(shapes.contiguous().numpy().data)
                (self._folder / f"{n}.offsets").write_bytes(offsets.numpy().data)

    def close(self) -> None:
        """Close the files, each of them, whatever the file system says."""
        with ExitStack() as stack:
            for file in self._files:
                stack.callback(file.close)


def _sample(place: int, arrays: Sequence[Numbers]) -> int:
    """Which of the arrays holds a place, where they lie one after the other."""
    ends = np.cumsum([array.size for array in arrays])
    return int(np.searchsorted(ends, place, "right"))


def _first_of_each(flat: Numbers, arrays: Sequence[Numbers], numbers: Sequence[int]) -> dict[int, int] | None:
    """For each value the first sample that has it."""
    values = np.unique(flat)
    if len(values) > VALUES:
        return None
    if len(values) <= FEW:  # as in masks, where to sort with places takes ten times as long
        places = np.array([int((flat == value).argmax()) for value in values])
    else:
        values, places = np.unique(flat, return_index=True)
    ends = np.cumsum([array.size for array in arrays])
    samples = np.searchsorted(ends, places, "right").tolist()
    return {int(value): numbers[sample] for value, sample in zip(values.tolist(), samples, strict=True)}
