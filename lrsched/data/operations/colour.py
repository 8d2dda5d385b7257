"""Change brightness, contrast, saturation and hue of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.data.operations.pixels import like, top
from lrsched.data.operations.ranges import require

GREY = (0.2989, 0.587, 0.114)
"""What red, green and blue are worth in a grey (ITU-R BT.601)."""


@dataclass(frozen=True)
class Colour:
    """Change the colours of each image, by factors that are drawn for it, in this order:

        brightness   x · b
        contrast     x · c + (1 − c) · mean of the image's grey
        saturation   x · s + (1 − s) · grey of the pixel
        hue          a turn of the colour circle by h

    with b, c, s uniform within 1 ± the amount and h within ± the amount. After each, values are cut off at black and
    white: 0 and 255 of uint8, 0 and 1 of floats.

    Args:
        brightness, contrast, saturation: largest change of the factor, up to 1.
        hue: largest turn, as a part of the circle, up to ½.

    Raises:
        ConfigError: a value out of its range.

    References:
        Howard, Some improvements on deep convolutional neural network based image classification, 2013,
        https://arxiv.org/abs/1312.5402; the formulas are those of ``torchvision.transforms.v2.ColorJitter``.

    >>> x = torch.tensor([200.0, 100.0, 0.0]).reshape(1, 3, 1, 1)
    >>> brightness(x, torch.tensor([1.5]), 255).flatten().tolist()
    [255.0, 150.0, 0.0]
    >>> hue(x, torch.tensor([1 / 3])).flatten().round().tolist()
    [0.0, 200.0, 100.0]
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            require(name, getattr(self, name), 0, 1, f"0.2 takes 0.8 to 1.2 times the {name}")
        require("hue", self.hue, 0, 0.5, "the largest turn of the colour circle to either side")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Make a changed copy of images [B, C, H, W], drawn from ``generator`` alone; four numbers an image."""
        drawn = torch.rand((4, len(x)), generator=generator, device=generator.device).to(x.device).mul_(2).sub_(1)
        found, white = x.to(torch.float32), top(x)
        amounts = (self.brightness, self.contrast, self.saturation)
        for change, amount, each in zip((brightness, contrast, saturation), amounts, drawn, strict=False):
            if amount:
                found = change(found, 1 + amount * each, white)
        if self.hue:
            found = hue(found, self.hue * drawn[3])
        return like(found, x)


def brightness(x: Tensor, factor: Tensor, white: int) -> Tensor:
    """Make images [B, C, H, W] brighter by a factor each, [B]."""
    return (x * factor[:, None, None, None]).clamp_(0, white)


def contrast(x: Tensor, factor: Tensor, white: int) -> Tensor:
    """Bring images [B, 1 or 3, H, W] nearer to the mean of their grey by a factor each, [B]."""
    return _blend(x, _grey(x).mean((1, 2, 3), keepdim=True), factor, white)


def saturation(x: Tensor, factor: Tensor, white: int) -> Tensor:
    """Bring images [B, 3, H, W] nearer to their grey by a factor each, [B]."""
    return _blend(x, _grey(x), factor, white)


def hue(x: Tensor, turn: Tensor) -> Tensor:
    """Turn the colour circle of images [B, 3, H, W] by a part each, [B]; the largest and the smallest colour stay.

    With v and w the largest and the smallest of (r, g, b), c = v − w, and the place p on a circle of length 6 (red at
    0, green at 2, blue at 4): colour n ∈ {5, 3, 1} is v − c · clip(min(k, 4 − k), 0, 1), k = (n + p) mod 6.
    """
    red, green, blue = x.unbind(1)
    largest = torch.maximum(torch.maximum(red, green), blue)
    spread = largest - torch.minimum(torch.minimum(red, green), blue)
    scale = 1 / spread.clamp(min=1e-12)  # a grey has no hue, and gets 0
    place = torch.where(green == largest, (blue - red).mul_(scale).add_(2), (red - green).mul_(scale).add_(4))
    place = torch.where(red == largest, (green - blue).mul_(scale), place).add_(6 * turn[:, None, None])
    found = torch.empty_like(x)
    for channel, n in enumerate((5, 3, 1)):
        k = torch.add(place, n, out=found[:, channel])
        k.sub_((k / 6).floor_().mul_(6))
        k.sub_(2).abs_().neg_().add_(2).clamp_(0, 1)  # min(k, 4 − k) is 2 − |k − 2|
        k.mul_(spread).neg_().add_(largest)
    return found


def _grey(x: Tensor) -> Tensor:
    """The grey of images [B, C, H, W]: [B, 1, H, W]."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.unbind(1)
    return (red * GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])[:, None]


def _blend(x: Tensor, other: Tensor, factor: Tensor, white: int) -> Tensor:
    return torch.lerp(other, x, factor[:, None, None, None]).clamp_(0, white)
