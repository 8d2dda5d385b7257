"""Rotate, shear, scale and shift images: one affine map each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from lrsched.data.operations.pixels import like
from lrsched.data.operations.ranges import require


@dataclass(frozen=True)
class Affine:
    """Rotate, shear, scale and shift each image about its centre, by one map:

        (x′, y′) = s · R(θ) · [[1, −tan φ], [0, 1]] · (x, y) + (u, v)

    with x to the right, y down and R(θ) a turn clockwise. Each of θ, φ, s, u, v is drawn uniformly for each image. A
    pixel is read where its inverse lies, once: images and maps of floats between their four neighbours (bilinear),
    masks, of whole numbers, at the nearest.

    Args:
        rotate: largest turn to either side, in degrees.
        shear: largest angle φ to either side, in degrees.
        scale: largest change of size: s lies within 1 ± scale.
        shift: largest shift, as a part of width and of height.

    Raises:
        ConfigError: a value out of its range.

    References:
        Simard, Steinkraus, Platt, Best practices for convolutional neural networks, ICDAR 2003,
        https://doi.org/10.1109/ICDAR.2003.1227801; turns and shears as in ``torchvision.transforms.RandomAffine``

    >>> x = torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> quarter = Affine.inverse(*torch.tensor([[90.0], [0.0], [1.0], [0.0], [0.0]]))
    >>> Affine().move(x, quarter).round().flatten().tolist()
    [2.0, 0.0, 3.0, 1.0]
    """

    rotate: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        require("rotate", self.rotate, 0, 180, "the largest turn to either side, in degrees")
        require("shear", self.shear, 0, 60, "the largest shear to either side, in degrees")
        require("scale", self.scale, 0, 0.9, "0.2 makes an image 0.8 to 1.2 times as large")
        require("shift", self.shift, 0, 1, "a part of width and height")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Make a changed copy of images [B, C, H, W], drawn from ``generator`` alone."""
        return self.move(x, self.draw(x, generator))

    def draw(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the map of each image; see :meth:`inverse`. Five numbers an image, whatever is asked for."""
        drawn = torch.rand((5, len(x)), generator=generator, device=generator.device).to(x.device).mul_(2).sub_(1)
        height, width = x.shape[2:]
        most = (self.rotate, self.shear, self.scale, self.shift * width, self.shift * height)
        angle, shear, scale, right, down = (amount * each for amount, each in zip(most, drawn, strict=True))
        return self.inverse(angle, shear, 1 + scale, right, down)

    @staticmethod
    def inverse(angle: Tensor, shear: Tensor, scale: Tensor, right: Tensor, down: Tensor) -> Tensor:
        """Where pixels come from: [B, 2, 3], a matrix and a shift, in pixels from the centre.

        Args:
            angle, shear: in degrees, [B].
            scale: factor, [B].
            right, down: shift in pixels, [B].
        """
        turn = angle * (math.pi / 180)
        cos, sin, tan = turn.cos() / scale, turn.sin() / scale, (shear * (math.pi / 180)).tan()
        rows = ((cos - tan * sin, sin + tan * cos), (-sin, cos))
        return torch.stack([torch.stack([a, b, -(a * right + b * down)], 1) for a, b in rows], 1)

    def move(self, x: Tensor, source: Tensor, fill: float = 0, *, mask: bool = False) -> Tensor:
        """Read each pixel of [B, …, H, W] where ``source`` says.

        Args:
            x: images of uint8 or floats; masks of any type.
            source: see :meth:`inverse`.
            fill: what comes in from outside.
            mask: take the nearest pixel, and make no value between two.
        """
        images = x.flatten(1, -3) if x.ndim > 3 else x[:, None]  # [B, C, H, W]
        found = _nearest(images, source, fill) if mask else _between(images, source, fill)
        return found.view_as(x)


def _places(source: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel comes from, from the centre: [B, H, W, 2], to the right and down."""
    columns = torch.arange(width, device=source.device) - (width - 1) / 2
    rows = torch.arange(height, device=source.device) - (height - 1) / 2
    a, b, c = source[:, None].unbind(3)  # [B, 1, 2] each
    return (a * columns[:, None] + c)[:, None] + (b * rows[:, None])[:, :, None]


def _between(images: Tensor, source: Tensor, fill: float) -> Tensor:
    """Pixels between four neighbours."""
    height, width = images.shape[2:]
    right, down = source.unbind(1)
    parts = torch.stack([right * (2 / width), down * (2 / height)], 1)  # the edges of the grid are ±1
    raw = images.to(torch.float32)
    found = grid_sample(raw - fill if fill else raw, _places(parts, height, width), align_corners=False)
    return like(found + fill if fill else found, images)


def _nearest(images: Tensor, source: Tensor, fill: float) -> Tensor:
    """Pixels of any type, each that of the nearest place."""
    height, width = images.shape[2:]
    right, down = _places(source, height, width).unbind(3)
    columns, rows = (right + (width - 1) / 2).round_().long(), (down + (height - 1) / 2).round_().long()
    outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
    flat = (rows.clamp_(0, height - 1) * width + columns.clamp_(0, width - 1)).flatten(1)[:, None]
    found = images.flatten(2).gather(2, flat.expand(-1, images.shape[1], -1)).view_as(images)
    return found.masked_fill_(outside[:, None], fill)
