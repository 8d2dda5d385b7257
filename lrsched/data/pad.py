"""Put samples of different lengths into one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import default_collate

from lrsched.errors import ConfigError, DataError

UNCOUNTED = {"labels": -100}
"""What Hugging Face's models, and PyTorch's losses, leave out of account."""


TOKENS, MASK = "input_ids", "attention_mask"
"""What a tokenizer calls its tokens, and the mask that tells them from what fills them up."""


@dataclass(frozen=True)
class Pad:
    """Fills up the samples of a batch, as texts of different lengths: each dimension to the longest in the batch.

    What an item holds may be tensors, arrays, lists of numbers (as tokenizers give them) and numbers. Items with
    ``input_ids`` and without ``attention_mask`` are given one, 1 at each token and 0 behind them: a model must not read
    what fills up.

    Args:
        value: what to fill up with.
        values: other values for some columns, by name, or by number from 0 where items are tuples. The column
            ``labels`` is filled up with −100, which counts nowhere, unless it is given here.
        length: of the first dimension, always; longer samples are cut off. None: the longest in the batch.

    Raises:
        ConfigError: a length below 1.
        DataError: samples of different numbers of dimensions or columns.

    >>> Pad()([(torch.tensor([5, 6, 7]), 1), (torch.tensor([8]), 0)])
    (tensor([[5, 6, 7],
            [8, 0, 0]]), tensor([1, 0]))
    """

    value: float = 0
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    length: int | None = None

    def __post_init__(self) -> None:
        if self.length is not None and self.length < 1:
            raise ConfigError("length", self.length, "must be at least 1")

    def __call__(self, items: list[Any]) -> Any:
        """A batch of the items."""
        first = items[0]
        if isinstance(first, Mapping):
            named = cast("list[Mapping[Any, Any]]", items)
            if any(set(item) != set(first) for item in named):
                raise DataError("the samples of a batch differ in their columns")
            made = {name: self._column(str(name), [item[name] for item in named]) for name in named[0]}
            tokens = made.get(TOKENS)
            if MASK not in made and isinstance(tokens, Tensor) and tokens.ndim == 2:
                ends = torch.tensor([len(item[TOKENS]) for item in named])
                made[MASK] = (torch.arange(tokens.shape[1]) < ends[:, None]).long()
            return made
        if isinstance(first, tuple):
            tuples = cast("list[tuple[Any, ...]]", items)
            if any(len(item) != len(first) for item in tuples):
                raise DataError("the samples of a batch differ in their columns")
            turned = zip(*tuples, strict=True)
            return tuple(self._column(str(number), list(column)) for number, column in enumerate(turned))
        return (self._column("0", items),)

    def _column(self, name: str, parts: list[Any]) -> Any:
        if not all(isinstance(part, (Tensor, np.ndarray, list)) for part in parts):
            return default_collate(parts)
        tensors = [torch.as_tensor(part) for part in parts]
        if not tensors[0].ndim:
            return torch.stack(tensors)
        if self.length is not None:
            tensors = [tensor[: self.length] for tensor in tensors]
        if len({tensor.ndim for tensor in tensors}) > 1:
            raise DataError(f"column {name}: the samples of a batch differ in their number of dimensions")
        sizes = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
        if self.length is not None:
            sizes[0] = self.length
        value = self.values.get(name, UNCOUNTED.get(name, self.value))
        return torch.stack([pad(tensor, _filling(tensor.shape, sizes), value=value) for tensor in tensors])


def _filling(shape: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """What torch's pad is given: behind each dimension what it lacks, the last dimension first."""
    return [number for have, want in zip(reversed(shape), reversed(sizes), strict=True) for number in (0, want - have)]
