"""Samples as columns: a tuple of tensors, or a mapping of them, samples first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import Tensor

Batch: TypeAlias = Any
"""Columns of samples: ``tuple[Tensor, ...]``, the input, the target, and further ones such as a weight; or
``Mapping[str, Tensor]``. A task knows which of the two its data are, and writes ``x, y = batch`` or ``batch["x"]``."""

NAMES = ("x", "y", "weight")
"""What the columns of a tuple are called, and what built-in tasks look for in a mapping."""


def named(batch: Batch) -> bool:
    """Whether the columns have names. Tuples, asked of several times an update, are told by their type."""
    return not isinstance(batch, tuple) and isinstance(batch, Mapping)


def columns(batch: Batch) -> dict[str, Tensor]:
    """The columns by name; those of a tuple are x, y, weight, and then 3, 4, ….

    >>> import torch
    >>> list(columns((torch.zeros(2), torch.zeros(2))))
    ['x', 'y']
    """
    if named(batch):
        return dict(batch)
    return {NAMES[n] if n < len(NAMES) else str(n): column for n, column in enumerate(batch)}


def column(batch: Batch, number: int) -> Tensor:
    """Column x (0), y (1) or weight (2); a mapping without these names is read in its order.

    Raises:
        LookupError: there is no such column.
    """
    if not named(batch):
        return batch[number]
    name = NAMES[number]
    return batch[name] if name in batch else list(batch.values())[number]


def samples(batch: Batch) -> int:
    """How many samples there are."""
    return len(next(iter(batch.values())) if named(batch) else batch[0])


def each(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """Change every column alike."""
    if named(batch):
        return {name: change(tensor) for name, tensor in batch.items()}
    return tuple(map(change, batch))


def with_input(batch: Batch, x: Tensor) -> Batch:
    """The batch with another first column."""
    if named(batch):
        first = "x" if "x" in batch else next(iter(batch))
        return {**batch, first: x}
    return (x, *batch[1:])
