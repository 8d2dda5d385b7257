"""The form of a sample: its columns, their types and shapes; and the numbers of a sample as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrsched.data.batch import NAMES, place
from lrsched.data.stream.form import shape_of, shown
from lrsched.errors import DataError

Numbers = NDArray[Any]

REMEDY = "let __getitem__ give these, or give dataset.cache=false"


@dataclass(frozen=True)
class Column:
    """One column of samples.

    Args:
        name: as in :func:`lrsched.data.batch.columns`.
        dtype: of numpy, little-endian, as ``<f4``.
        shape: of a sample's part of it.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Form:
    """What each sample is.

    Args:
        kind: ``tensor``, ``tuple`` or ``mapping``.
        columns: in order.
    """

    kind: str
    columns: tuple[Column, ...]

    @property
    def target(self) -> int | None:
        """The number of the column of targets: that of its name, or the second one; None: there is none."""
        names = [column.name for column in self.columns]
        if self.kind != "mapping":
            return 1 if len(names) > 1 else None
        try:
            return names.index(place(names, 1))
        except LookupError:
            return None

    def whole(self, columns: Sequence[Any]) -> Any:
        """A sample, or a batch of them, of the parts that its columns hold."""
        if self.kind == "mapping":
            return {column.name: part for column, part in zip(self.columns, columns, strict=True)}
        return columns[0] if self.kind == "tensor" else tuple(columns)


def form_of(item: Any) -> Form:
    """The form of a sample.

    Raises:
        DataError: it holds what is no number.
    """
    named = parts(item)
    made = [Column(name, array.dtype.str, array.shape) for name, array in named.items()]
    kind = "mapping" if isinstance(item, Mapping) else "tuple" if isinstance(item, (tuple, list)) else "tensor"
    return Form(kind, tuple(made))


def parts(item: Any) -> dict[str, Numbers]:
    """The columns of one sample as arrays.

    Raises:
        DataError: it holds what is no number, or nothing.

    >>> {name: array.tolist() for name, array in parts((torch.ones(2), 3)).items()}
    {'x': [1.0, 1.0], 'y': 3}
    """
    if isinstance(item, Mapping):
        named = {str(name): part for name, part in cast("Mapping[Any, Any]", item).items()}
    else:
        listed = list(cast("Sequence[Any]", item)) if isinstance(item, (tuple, list)) else [item]
        named = {NAMES[n] if n < len(NAMES) else str(n): part for n, part in enumerate(listed)}
    if not named:
        raise DataError("is empty: it needs an input at least")
    return {name: _array(name, part) for name, part in named.items()}


def _array(name: str, part: Any) -> Numbers:
    array: Any = part
    if isinstance(part, list):  # as tokenizers give them; a collate makes tensors of them
        try:
            array = torch.as_tensor(part)
        except (ValueError, TypeError, RuntimeError):
            array = part
    if isinstance(array, Tensor):
        if array.layout != torch.strided or array.is_complex():
            raise DataError(f"holds {shown(array)} in {name}, and dense tensors of real numbers are kept; {REMEDY}")
        array = array.detach().cpu()
        array = (array.float() if array.dtype == torch.bfloat16 else array).numpy()
    elif isinstance(array, (bool, int, float)):
        array = np.asarray(array)
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise DataError(f"holds {shape_of(part)} in {name}, and tensors, arrays and numbers are kept; {REMEDY}")
    return np.asarray(array, array.dtype.newbyteorder("<"))
