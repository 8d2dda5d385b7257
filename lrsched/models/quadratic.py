"""The model of a noisy quadratic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrsched.models import checks


class Quadratic(nn.Module):
    """w·x, from w = 0: what ``task=quadratic`` is asked of.

    Args:
        input_shape: of a sample, of any length.

    >>> Quadratic((3,))(torch.ones(2, 3)).tolist()
    [0.0, 0.0]
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(checks.features(input_shape)))

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, …] to [B]."""
        return checks.flat(x) @ self.weight
