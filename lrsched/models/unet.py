"""A small U-Net."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lrsched.errors import ConfigError
from lrsched.models import checks
from lrsched.models.checks import ImageShape
from lrsched.models.norms import in_a_row


class UNet(nn.Module):
    """An answer for each pixel: down to small maps that see much, and up again beside maps that see sharply.

    With w = ``width``, d = ``depth``, and "block" = twice (3x3 convolution, norm, ReLU)::

        block w ─────────────────────────── join ─ block w ─ 1x1 convolution
           pool ─ block 2w ──────── join ─ block 2w ─ up
                     pool ─ … ─ block 2^d·w ─ up

    A pool halves the image, "up" doubles it, and "join" lays the maps of the same size side by side. Convolutions are
    padded: the answer has the size of the image.

    Args:
        input_shape: (C, H, W) of an image; 2^depth divides H and W.
        classes: number of logits a pixel, unless ``outputs`` is given.
        outputs: how many numbers to give for a pixel, as the task asks.
        width: feature maps of the first block.
        depth: number of times that the image is halved.
        norm: group (over 8 groups of maps, or as many as divide them: the same for batches of all sizes), or batch.
        upsampling: nearest or bilinear; both are deterministic on GPUs under ``trainer.deterministic``.

    Raises:
        ConfigError: a number below 1, or an image that cannot be halved ``depth`` times.

    References:
        Ronneberger, Fischer, Brox, U-Net, 2015, https://arxiv.org/abs/1505.04597
        Wu, He, Group normalization, 2018, https://arxiv.org/abs/1803.08494
        Odena, Dumoulin, Olah, Deconvolution and checkerboard artifacts, 2016, https://doi.org/10.23915/distill.00003

    >>> UNet((3, 8, 16), classes=4, width=2)(torch.zeros(2, 3, 8, 16)).shape
    torch.Size([2, 4, 8, 16])
    """

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int | None = None,
        *,
        outputs: int | None = None,
        width: int = 16,
        depth: int = 3,
        norm: Literal["group", "batch"] = "group",
        upsampling: Literal["nearest", "bilinear"] = "nearest",
    ) -> None:
        super().__init__()
        channels, height, width_of_image = checks.image(input_shape)
        if height % 2 ** checks.count("depth", depth) or width_of_image % 2**depth:
            multiple = 2**depth if depth < 64 else f"2^{depth}"
            rule = f"halves the image {depth} times, and {height}x{width_of_image} pixels are no multiple of {multiple}"
            most = _halvings(height, width_of_image)
            raise ConfigError("depth", depth, rule, f"give at most {most}" if most else "pad the images")
        checks.one_of("norm", norm, ("group", "batch"))
        self.upsampling = checks.one_of("upsampling", upsampling, ("nearest", "bilinear"))
        maps = [checks.count("width", width) * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(_block(a, b, norm) for a, b in zip((channels, *maps), maps, strict=False))
        self.up = nn.ModuleList(_block(3 * m, m, norm) for m in reversed(maps[:-1]))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(maps[0], checks.outputs(classes, outputs), kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, C, H, W] to [B, outputs, H, W]."""
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            kept.append(x)
        kept.pop()
        for block in self.up:
            x = block(torch.cat([kept.pop(), self._doubled(x)], 1))
        return self.head(x)

    def before_norm(self) -> set[str]:
        """The weights whose scale does not matter: those of the convolutions before a norm."""
        return in_a_row(self)

    def _doubled(self, x: Tensor) -> Tensor:
        if self.upsampling == "nearest":
            return interpolate(x, scale_factor=2, mode="nearest")
        return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _block(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """[B, inputs, H, W] to [B, outputs, H, W]; no biases, since a norm with a shift follows."""
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        convolution = nn.Conv2d(before, outputs, kernel_size=3, padding=1, bias=False)
        scaled = nn.BatchNorm2d(outputs) if norm == "batch" else nn.GroupNorm(math.gcd(8, outputs), outputs)
        layers += [convolution, scaled, nn.ReLU()]
    return nn.Sequential(*layers)


def _halvings(*sides: int) -> int:
    """How often all sides can be halved."""
    common = math.gcd(*sides)
    return (common & -common).bit_length() - 1
