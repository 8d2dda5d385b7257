"""Define Cache: a data set whose samples lie decoded in memory-mapped files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lrsched.data.batch import Batch
from lrsched.data.cache.form import Column, Form
from lrsched.data.stream.form import as_column
from lrsched.data.stream.labels import Labels
from lrsched.errors import DataError

FORMAT = 1
"""Of the files. A cache of another one is decoded anew: it is part of what a cache is known by."""

MANIFEST = "manifest.json"


class Damaged(Exception):
    """The files of a cache are not those that were written; says what is wrong."""


class Cache(Dataset[Any]):
    """Samples that were decoded once, map-style; items of one form are taken a batch at a time, without Python an item.

    Args:
        folder: that holds the files.

    Raises:
        Damaged: a file is missing, or has another size than was written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        told = read_manifest(folder)
        try:
            columns = [_column(c) for c in told["columns"]]
            self.form, self._samples = Form(told["kind"], tuple(columns)), int(told["samples"])
            self._uneven, labels = [bool(uneven) for uneven in told["uneven"]], told["labels"]
            self._labels = None if labels is None else {int(value): int(number) for value, number in labels}
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{MANIFEST} lacks what it must say") from error
        self._flat = [self._mapped(n, column) for n, column in enumerate(self.form.columns)]

    def __len__(self) -> int:
        return self._samples

    def __reduce__(self) -> tuple[Any, ...]:
        return Cache, (self.folder,)

    def __getitem__(self, number: int) -> Any:
        """A sample as it was, of tensors."""
        place = range(self._samples)[number]  # raises IndexError
        return self.form.whole([self._part(n, place) for n in range(len(self._flat))])

    @property
    def even(self) -> bool:
        """Whether all samples are of one form."""
        return not any(self._uneven)

    @cached_property
    def columns(self) -> dict[str, Tensor]:
        """The columns, samples first, memory-mapped: to be read alone.

        Raises:
            DataError: samples are not of one form.
        """
        if not self.even:
            raise DataError(f"{self.folder}: samples are not of one form, and lie in no columns")
        shaped = zip(self._flat, self.form.columns, strict=True)
        return {column.name: flat.view(self._samples, *column.shape) for flat, column in shaped}

    def take(self, numbers: Sequence[int] | Tensor) -> Batch:
        """A batch of samples of one form, in the types of a batch.

        Args:
            numbers: of the samples.

        Raises:
            DataError: samples are not of one form.
        """
        some = numbers if isinstance(numbers, Tensor) else torch.from_numpy(np.array(numbers, np.int64))
        made = [as_column(name, column.index_select(0, some)) for name, column in self.columns.items()]
        return self.form.whole(made) if self.form.kind == "mapping" else tuple(made)

    def wrong_label(self, labels: Labels) -> tuple[int, int] | None:
        """The number of a sample, and its target that is none of the labels; None: all are."""
        for value, number in (self._labels or {}).items():
            if bool(labels.wrong(torch.tensor(value))):
                return number, value
        return None

    @property
    def knows_labels(self) -> bool:
        """Whether :meth:`wrong_label` can tell: not where targets have very many different values."""
        target = self.form.target
        return self._labels is not None or target is None or np.dtype(self.form.columns[target].dtype).kind == "f"

    def _part(self, n: int, place: int) -> Tensor:
        column, flat = self.form.columns[n], self._flat[n]
        if not self._uneven[n]:
            return flat.view(self._samples, *column.shape)[place].clone()
        start, end = self._offsets[n][place : place + 2].tolist()
        return flat[start:end].view(self._shapes[n][place].tolist()).clone()

    def _mapped(self, n: int, column: Column) -> Tensor:
        """The numbers of a column, one sample after the other."""
        dtype = np.dtype(column.dtype)
        file = self.folder / f"{n}.bin"
        if self._uneven[n]:
            count = int(self._offsets[n][-1])
        else:
            count = self._samples * int(np.prod(column.shape, dtype=np.int64))
        return _file(file, torch.from_numpy(np.empty(0, dtype)).dtype, count)

    @cached_property
    def _offsets(self) -> dict[int, Tensor]:
        return {
            n: _file(self.folder / f"{n}.offsets", torch.int64, self._samples + 1)
            for n, uneven in enumerate(self._uneven)
            if uneven
        }

    @cached_property
    def _shapes(self) -> dict[int, Tensor]:
        return {
            n: _file(self.folder / f"{n}.shapes", torch.int64, self._samples * dims).view(self._samples, dims)
            for n, dims in ((n, len(self.form.columns[n].shape)) for n, uneven in enumerate(self._uneven) if uneven)
        }


def _column(told: dict[str, Any]) -> Column:
    """A column as the manifest has it.

    Raises:
        KeyError, TypeError, ValueError: it lacks something, or holds no numbers.
    """
    torch.from_numpy(np.empty(0, told["dtype"]))  # raises TypeError for what is no type of a tensor
    return Column(str(told["name"]), told["dtype"], tuple(int(size) for size in told["shape"]))


def _file(path: Path, dtype: torch.dtype, count: int) -> Tensor:
    """A file as a tensor: mapped, and changed by nobody.

    Raises:
        Damaged: it is missing, of another size, or cannot be opened.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise Damaged(f"{path.name} is missing") from error
    if size != count * dtype.itemsize:
        raise Damaged(f"{path.name} has {size} bytes instead of {count * dtype.itemsize}")
    if not count:
        return torch.empty(0, dtype=dtype)
    try:
        return torch.from_file(str(path), shared=False, size=count, dtype=dtype)
    except RuntimeError as error:
        raise Damaged(f"{path.name} cannot be opened: {str(error).splitlines()[0]}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a cache says of itself.

    Raises:
        Damaged: it cannot be read.
        OSError: the file system refused.
    """
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (ValueError, RecursionError, FileNotFoundError) as error:
        raise Damaged(f"{MANIFEST} cannot be read") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise Damaged(f"{MANIFEST} is of another format")
    return told


def manifest(form: Form, samples: int, uneven: Sequence[bool], labels: dict[int, int] | None) -> dict[str, Any]:
    """What a cache says of itself, to be written as JSON.

    Args:
        form: of the first sample; the shapes of uneven columns are its alone.
        samples: how many.
        uneven: for each column, whether samples differ in shape.
        labels: for each value of the targets, the first sample that has it; None: not known.
    """
    return {
        "format": FORMAT,
        "samples": samples,
        "kind": form.kind,
        "columns": [asdict(column) for column in form.columns],
        "uneven": list(uneven),
        "labels": None if labels is None else sorted(labels.items()),
    }
