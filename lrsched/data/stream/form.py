"""Bring items to the form of a batch: a tuple or a mapping of tensors, samples first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from lrsched.data.batch import Batch, columns
from lrsched.errors import DataError

Collate = Callable[[list[Any]], Any]
"""Makes a batch of a list of items."""


def as_batch(items: Sequence[Any], collate: Collate | None) -> Batch:
    """A batch of items: inputs and targets of floats as float32, whole numbers as int64, uint8 inputs as they are.

    Args:
        items: as the data set gives them.
        collate: of a user's own; None: torch's, which stacks items of one form.

    Raises:
        DataError: the items, or what ``collate`` makes of them, are no such batch.
    """
    made: Any = (default_collate if collate is None else collate)(list(items))
    if isinstance(made, Tensor):
        made = (made,)
    if isinstance(made, Mapping):
        named = cast("Mapping[Any, Any]", made)
        batch: Batch = {str(name): as_column(str(name), column) for name, column in named.items()}
    elif isinstance(made, (tuple, list)):
        listed = cast("Sequence[Any]", made)
        batch = tuple(as_column(f"column {number} (from 0)", column) for number, column in enumerate(listed))
    else:
        raise DataError(f"an item must be a tensor, a tuple such as (x, y) or a mapping, not {shown(made)}")
    if not batch:
        raise DataError("an item is empty: it needs an input at least")
    for name, column in columns(batch).items():
        if len(column) != len(items):
            raise DataError(f"{name} has {len(column)} samples in a batch of {len(items)}")
    return batch


def as_column(name: str, column: Any) -> Tensor:
    """One column in the types that data in memory have.

    Raises:
        DataError: it is no tensor of numbers, samples first.
    """
    if not isinstance(column, Tensor) or not column.ndim:
        raise DataError(
            f"{name} is {shown(column)}, and a tensor of numbers is wanted; let __getitem__ give tensors, arrays and "
            "numbers alone, or give dataset.collate"
        )
    if column.is_complex() or column.layout != torch.strided:
        raise DataError(f"{name} is {shown(column)}, and a dense tensor of real numbers is wanted")
    column = column.detach()
    if column.is_floating_point():
        return column.float()
    return column if column.dtype == torch.uint8 else column.long()


def shape_of(item: Any) -> Any:
    """The form of an item: types and shapes, in words."""
    if isinstance(item, (Tensor, np.ndarray)):
        return f"{str(cast('Any', item).dtype).removeprefix('torch.')} {list(item.shape)}"
    if isinstance(item, Mapping):
        named = cast("Mapping[Any, Any]", item)
        return "{" + ", ".join(f"{name}: {shape_of(part)}" for name, part in named.items()) + "}"
    if isinstance(item, (tuple, list)):
        parts = cast("Sequence[Any]", item)
        if len(parts) > 8:
            return f"a {type(item).__name__} of {len(parts)}"
        return "(" + ", ".join(map(shape_of, parts)) + ")"
    return shown(item)


def shown(value: Any) -> str:
    """A value in words."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return "nothing" if value is None else f"a {type(value).__name__}"
