"""Cover a random box of some images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.data.operations.pixels import boxes, filled
from lrsched.data.operations.ranges import require

TRIES = 10
"""Boxes that are drawn for an image; the first that fits is taken."""


@dataclass(frozen=True)
class Erase:
    """Cover a box of some images. Its area is drawn uniformly, and the logarithm of height/width too; then its place.

    Ten boxes are drawn for each image at once, so that the number of draws is always the same; the first that fits is
    taken, and where none does the image stays.

    Args:
        probability: that an image is covered.
        area: least and largest part of the image.
        ratio: least and largest height/width.

    Raises:
        ConfigError: a value out of its range.

    References:
        Zhong, Zheng, Kang, Li, Yang, Random erasing data augmentation, 2017, https://arxiv.org/abs/1708.04896; by the
        logarithm, as in ``torchvision.transforms.RandomErasing``, tall and wide are alike

    >>> x = torch.ones(100, 1, 8, 8)
    >>> covered = (Erase(1.0, area=(0.25, 0.25), ratio=(1, 1))(x, torch.Generator().manual_seed(0)) == 0).sum((1, 2, 3))
    >>> covered.unique().tolist()
    [16]
    """

    probability: float = 0.0
    area: tuple[float, float] = (0.02, 0.4)
    ratio: tuple[float, float] = (0.3, 1 / 0.3)

    def __post_init__(self) -> None:
        require("erase", self.probability, 0, 1, "the probability that an image is covered in part")

    def __call__(self, x: Tensor, generator: torch.Generator, fill: Tensor | int = 0) -> Tensor:
        """Make a changed copy of images [B, C, H, W], drawn from ``generator`` alone; ``fill`` is what covers."""
        batch, _, height, width = x.shape
        drawn = torch.rand((2 * TRIES + 3, batch), generator=generator, device=generator.device).to(x.device)
        area = (self.area[0] + (self.area[1] - self.area[0]) * drawn[:TRIES]) * (height * width)
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratio = (low + (high - low) * drawn[TRIES : 2 * TRIES]).exp_()
        heights, widths = (area * ratio).sqrt_().round_().long(), (area / ratio).sqrt_().round_().long()
        fits = (heights <= height) & (widths <= width)
        first = fits.to(torch.uint8).argmax(0, keepdim=True)
        covered, down, right = drawn[2 * TRIES :]
        wanted = fits.gather(0, first)[0] & (covered < self.probability)
        tall, wide = (torch.where(wanted, size.gather(0, first)[0], 0) for size in (heights, widths))
        tops, lefts = (down * (height - tall + 1)).long(), (right * (width - wide + 1)).long()
        return filled(x, boxes(x, tops, tall, lefts, wide), fill)
