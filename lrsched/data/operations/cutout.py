"""Cover a square of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.data.operations.pixels import boxes, filled
from lrsched.data.operations.ranges import require_pixels


@dataclass(frozen=True)
class Cutout:
    """Cover a square of each image, about a pixel that is drawn uniformly; what lies outside is cut off.

    Args:
        size: of a side, in pixels; 0 covers nothing.

    Raises:
        ConfigError: the size is none.

    References:
        DeVries, Taylor, Improved regularization of convolutional neural networks with Cutout, 2017,
        https://arxiv.org/abs/1708.04552

    >>> x = torch.ones(1, 1, 3, 3)
    >>> Cutout.cover(x, torch.tensor([2]), torch.tensor([1]), 2)[0, 0].tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """

    size: int = 0

    def __post_init__(self) -> None:
        require_pixels("cutout", self.size)

    def __call__(self, x: Tensor, generator: torch.Generator, fill: Tensor | int = 0) -> Tensor:
        """Make a changed copy of images [B, C, H, W], drawn from ``generator`` alone; ``fill`` is what covers."""
        rows, columns = (
            torch.randint(size, (len(x),), generator=generator, device=generator.device).to(x.device)
            for size in x.shape[2:]
        )
        return self.cover(x, rows, columns, self.size, fill)

    @staticmethod
    def cover(x: Tensor, rows: Tensor, columns: Tensor, size: int, fill: Tensor | int = 0) -> Tensor:
        """Cover a square about a pixel of each image, [B] each; one of an even side reaches further up and left."""
        return filled(x, boxes(x, rows - size // 2, size, columns - size // 2, size), fill)
