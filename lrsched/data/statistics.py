"""Statistics of a training part: for standardising, and for filling in what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lrsched.errors import DataError

MOST = 1 << 26
"""Numbers to turn into float64 at once."""


def statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the samples, in float64, [1, …] each; the std of a constant is 1.

    The deviation is that of the population: √(Σ (v − mean)² / n).
    """
    flat = values.flatten(1) if values.ndim > 1 else values[:, None]
    at_once = max(1, MOST // max(1, len(flat)))
    parts = [torch.std_mean(some.double(), dim=0, correction=0) for some in flat.split(at_once, dim=1)]
    std, mean = (torch.cat(each).reshape(1, *values.shape[1:]) for each in zip(*parts, strict=True))
    constant = std <= 1e-12 * mean.abs().clamp(min=torch.finfo(torch.float64).tiny)
    return mean, torch.where(constant, torch.ones_like(std), std)


def stand_ins(x: Tensor, fill: Literal["mean", "median"] | float, names: Sequence[str] | None = None) -> Tensor:
    """What stands for each input that is missing: [1, …], of the type of ``x``.

    Args:
        x: inputs of the training part, NaN where one is missing.
        fill: the mean or the median of the others, or a number.
        names: of the inputs, for messages.

    Raises:
        DataError: an input is missing in every sample.

    >>> stand_ins(torch.tensor([[1.0, 2.0], [torch.nan, 4.0]]), "mean").tolist()
    [[1.0, 3.0]]
    """
    if isinstance(fill, (int, float)):
        return torch.full_like(x[:1], fill)
    absent = x.isnan().all(0).flatten().nonzero()
    if len(absent):
        place = int(absent[0])
        what = f"input {place} (from 0)" if names is None else f"column {names[place]!r}"
        raise DataError(f"train: {what} is missing in every sample of the training part, so it has no {fill}")
    if fill == "mean":
        return x.nanmean(0, keepdim=True, dtype=torch.float64).to(x.dtype)
    return torch.from_numpy(np.nanmedian(x.cpu().numpy(), axis=0, keepdims=True))
