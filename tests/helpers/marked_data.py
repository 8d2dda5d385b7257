"""A network that goes non-finite on a marked sample, and data with such a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.data import Synthetic
from lrsched.data.arrays import Arrays

ILLS = ("input", "loss", "gradient", "metric")


class _Poison(torch.autograd.Function):
    """The identity; its gradient is ``value`` where ``ill`` says so."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ill: Tensor, value: float) -> Tensor:
        ctx.save_for_backward(ill)
        ctx.value = value
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (ill,) = ctx.saved_tensors
        return grads[0].masked_fill(ill, ctx.value), None, None


class MarkedModel(nn.Module):
    """Two linear layers around batch norm and dropout.

    Args:
        input_shape: (C, H, W); classes: of the logits.
        ill: what a marked sample makes non-finite: ``input``, ``loss`` or ``gradient`` in an update, ``metric``
            in an evaluation.
        value: what it becomes: ``nan``, ``inf`` or ``-inf``.
        mark: the standardised value of a marked first pixel, at least.
        norm: with batch norm, whose running statistics a bad batch would spoil.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        classes: int,
        ill: str = "input",
        value: str = "nan",
        mark: float = 2.0,
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self._ill, self._value, self._mark = ill, float(value), mark
        self.first = nn.Linear(math.prod(input_shape), 8)
        self.norm = nn.BatchNorm1d(8) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        ill = (x[:, :1] >= self._mark) & (self.training != (self._ill == "metric"))
        if self._ill == "input":
            x = x.masked_fill(ill, self._value)
        x = self.dropout(torch.relu(self.norm(self.first(x))))
        if self._ill == "gradient":
            x = _Poison.apply(x, ill, self._value)
        x = self.last(x)
        return x.masked_fill(ill, self._value) if self._ill in ("loss", "metric") else x


@dataclass(frozen=True, kw_only=True)
class Marked(Synthetic):
    """Synthetic images whose first pixel is at most 200; that of image ``marked`` is 255."""

    marked: int = -1

    def load(self) -> Arrays:
        arrays = super().load()
        arrays.train_x[:, 0, 0, 0].clamp_(max=200)
        if self.marked >= 0:
            arrays.train_x[self.marked, 0, 0, 0] = 255
        return arrays
