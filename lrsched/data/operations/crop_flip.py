"""Shift and mirror images by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from lrsched.data.operations.ranges import require_pixels
from lrsched.errors import ConfigError


@dataclass(frozen=True)
class CropFlip:
    """Shift each image by up to ±crop pixels in both directions, and mirror it with probability ½.

    The papers' "random crop": pad by ``crop`` pixels on each side, then cut out the original size at a
    random place. Padding is 0, in raw pixels, so it is black: the background of MNIST and its like, and
    the padding of He et al. for CIFAR.

    Args:
        crop: largest shift in each direction, in pixels; 0 shifts nothing.
        flip: mirror each image left to right with probability ½. Not for characters: a mirrored 3 is no 3.

    Raises:
        ConfigError: a value out of its range.

    References:
        He, Zhang, Ren, Sun, Deep Residual Learning, CVPR 2016, section 4.2, https://arxiv.org/abs/1512.03385

    >>> x = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2)
    >>> CropFlip(crop=1)(x, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 2, 2])
    """

    crop: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        require_pixels("crop", self.crop)
        if not isinstance(self.flip, bool):
            raise ConfigError("flip", self.flip, "must be true or false")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Make a changed copy of images [B, C, H, W] of any number type, drawn from ``generator`` alone."""
        return self.move(x, self.draw(x, generator))

    def draw(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Where each pixel comes from: [B, H, W], places in an image that is padded and laid in one row."""
        batch, _, height, width = x.shape
        rows = self._shifted(batch, height, x.device, generator)
        columns = self._shifted(batch, width, x.device, generator)
        if self.flip:
            mirror = _draw(2, batch, x.device, generator).bool()
            columns = torch.where(mirror, columns.flip(1), columns)
        return rows[:, :, None] * (width + 2 * self.crop) + columns[:, None, :]

    def move(self, x: Tensor, source: Tensor, fill: float = 0, *, mask: bool = False) -> Tensor:
        """Take each pixel of [B, …, H, W] from its place, once; those from outside are ``fill``, in masks too."""
        images = x.flatten(1, -3) if x.ndim > 3 else x[:, None]  # [B, C, H, W]
        source = source.flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return pad(images, [self.crop] * 4, value=fill).flatten(2).gather(2, source).view_as(x)

    def _shifted(self, batch: int, size: int, device: torch.device, generator: torch.Generator) -> Tensor:
        """Find the places of the output's rows (or columns) in the padded image: [B, size]."""
        return torch.arange(size, device=device) + _draw(2 * self.crop + 1, batch, device, generator)


def _draw(below: int, batch: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """Draw whole numbers in [0, below), [B, 1], on the generator's device."""
    return torch.randint(below, (batch, 1), generator=generator, device=generator.device).to(device)
