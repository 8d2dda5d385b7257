"""Mix pairs of images and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from lrsched.data.operations.pixels import like
from lrsched.data.operations.ranges import require


@dataclass(frozen=True)
class Mixup:
    """Mix each image, and its label, with another one of the batch:

        x′ = λ·x + (1 − λ)·x₂,   y′ = λ·y + (1 − λ)·y₂,   λ ~ Beta(α, α)

    One λ for a batch, as in the authors' code; partners are a permutation of the batch.

    Args:
        alpha: of the distribution; small ones mix few images much, 1 is uniform.

    Raises:
        ConfigError: ``alpha`` out of its range.

    References:
        Zhang, Cisse, Dauphin, Lopez-Paz, mixup: beyond empirical risk minimization, ICLR 2018,
        https://arxiv.org/abs/1710.09412

    >>> x = torch.tensor([0.0, 8.0]).reshape(2, 1, 1, 1)
    >>> Mixup.mixed(x, torch.tensor([1, 0]), 0.75).flatten().tolist()
    [2.0, 6.0]
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        require("mixup", self.alpha, 0.01, 100, "the α of Beta(α, α)")

    def __call__(self, x: Tensor, partners: Tensor, chance: Random) -> tuple[Tensor, float]:
        """Mixed images [B, C, H, W] and λ.

        Args:
            x: images [B, C, H, W].
            partners: int64 [B], whom each is mixed with.
            chance: for λ.
        """
        kept = chance.betavariate(self.alpha, self.alpha)
        return self.mixed(x, partners, kept), kept

    @staticmethod
    def mixed(x: Tensor, partners: Tensor, kept: float) -> Tensor:
        """Mix images, of which ``kept`` is their own share."""
        own = x.to(torch.float32, copy=True)
        return like(own.mul_(kept).add_(x[partners], alpha=1 - kept), x)
