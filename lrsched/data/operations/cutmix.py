"""Put a box of another image into each, and mix their labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from torch import Tensor

from lrsched.data.operations.ranges import require


@dataclass(frozen=True)
class Cutmix:
    """Put a box of another image of the batch into each, and mix their labels by area.

    The box is √(1 − λ) times as high and as wide as the image, λ ~ Beta(α, α), about a pixel that is drawn uniformly;
    what lies outside is cut off, and λ becomes the share of pixels that stay. One box for a batch, as in the authors'
    code; partners are a permutation of the batch.

    Args:
        alpha: of the distribution; 1 is uniform.

    Raises:
        ConfigError: ``alpha`` out of its range.

    References:
        Yun, Han, Oh, Chun, Choe, Yoo, CutMix: regularization strategy to train strong classifiers, ICCV 2019,
        https://arxiv.org/abs/1905.04899

    >>> import torch
    >>> x = torch.tensor([0, 8]).reshape(2, 1, 1, 1).expand(2, 1, 2, 4)
    >>> mixed, kept = Cutmix.pasted(x, torch.tensor([1, 0]), (slice(0, 2), slice(0, 1)))
    >>> mixed[0, 0].tolist(), kept
    ([[8, 0, 0, 0], [8, 0, 0, 0]], 0.75)
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        require("cutmix", self.alpha, 0.01, 100, "the α of Beta(α, α)")

    def __call__(self, x: Tensor, partners: Tensor, chance: Random) -> tuple[Tensor, float]:
        """Images with a box of others, and the share of pixels that stay; arguments as for :class:`Mixup`."""
        side = math.sqrt(1 - chance.betavariate(self.alpha, self.alpha))
        box: list[slice] = []
        for size in x.shape[2:]:
            length, centre = int(size * side), chance.randrange(size)
            first = centre - length // 2
            box.append(slice(max(first, 0), min(first + length, size)))
        return self.pasted(x, partners, (box[0], box[1]))

    @staticmethod
    def pasted(x: Tensor, partners: Tensor, box: tuple[slice, slice]) -> tuple[Tensor, float]:
        """Images with a box of their partners, and the share of pixels that stay.

        Args:
            x: images [B, C, H, W].
            partners: int64 [B].
            box: rows and columns.
        """
        mixed, place = x.clone(), (..., *box)
        mixed[place] = x[place][partners]
        return mixed, 1 - mixed[place][0, 0].numel() / x[0, 0].numel()
