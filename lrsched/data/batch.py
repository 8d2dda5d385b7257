"""Samples as columns: a tuple of tensors, or a mapping of them, samples first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor

Batch: TypeAlias = Any
"""Columns of samples: ``tuple[Tensor, ...]``, the input, the target, and further ones such as a weight; or
``Mapping[str, Tensor]``. A task knows which of the two its data are, and writes ``x, y = batch`` or ``batch["x"]``."""

NAMES = ("x", "y", "weight")
"""What the columns of a tuple are called, and what built-in tasks look for in a mapping."""

INPUTS = ("input_ids", "pixel_values", "input_values", "input_features", "inputs_embeds")
"""What Hugging Face calls the input."""

TARGETS = ("y", "labels", "label")
"""What the target of a mapping may be called."""

CALLED = (("x", *INPUTS), TARGETS, ("weight",))
"""The names of each column of a mapping, the first that is there."""


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
    return batch[place(list(batch), number)] if named(batch) else batch[number]


def place(names: Sequence[str], number: int) -> str:
    """The name of the input (0), the target (1) or the weight (2) of a mapping; without a known one, by its place.

    >>> place(["label", "attention_mask", "input_ids"], 0), place(["label", "image"], 0), place(["a", "b"], 1)
    ('input_ids', 'image', 'b')

    Raises:
        LookupError: there is none. Beside an input of Hugging Face's a target has its name.
    """
    found = next((name for name in CALLED[number] if name in names), None)
    if found is not None:
        return found
    if number == 0:
        return next((name for name in names if name not in (*TARGETS, "weight")), names[0])
    if number == 1 and any(name in INPUTS for name in names):
        raise LookupError(f"no target among the columns {', '.join(names)}; call it labels")
    return names[number]


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
        return {**batch, place(list(batch), 0): x}
    return (x, *batch[1:])
