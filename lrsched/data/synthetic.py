"""Make random images on demand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.data.arrays import Arrays, Source
from lrsched.errors import ConfigError
from lrsched.seeds import key


@dataclass(frozen=True, kw_only=True)
class Synthetic(Source):
    """One random prototype per class, and noisy copies of it: x = clip(prototype + ε, 0, 255).

    Prototypes are uniform in 0…255 per pixel, ε is uniform in ±round(255·noise), and sample i has class
    i mod classes. All draws are integers, so the images are the same bytes on every machine. Has no
    test part.

    Args:
        samples: number of images, at least one per class.
        classes: number of classes, at least 2.
        channels: channels of an image.
        size: height and width, in pixels.
        noise: largest deviation from the prototype, as a fraction of 255; 0 makes all images of a class
            equal, 0.5 is easy for 8x8 pixels, 1 is harder.
        seed: of prototypes and noise.

    Raises:
        ConfigError: a value out of its range.

    >>> Synthetic(samples=20, size=4).load().train_y.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    samples: int = 2000
    classes: int = 10
    channels: int = 1
    size: int = 8
    noise: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("classes", 2), ("samples", self.classes), ("channels", 1), ("size", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ConfigError(name, value, f"must be a whole number of at least {least}")
        if not isinstance(self.noise, (int, float)) or not 0 <= self.noise <= 1000:
            raise ConfigError("noise", self.noise, "must be a number of at least 0, and at most 1000")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ConfigError("seed", self.seed, "must be a whole number of at least 0")

    def load(self) -> Arrays:
        """Images uint8 [samples, channels, size, size]."""
        image = (self.channels, self.size, self.size)
        spread = round(255 * self.noise)
        y = torch.arange(self.samples) % self.classes
        prototypes = self._draw("prototypes", 0, 255, (self.classes, *image))
        noise = self._draw("noise", -spread, spread, (self.samples, *image))
        x = (prototypes[y] + noise).clamp_(0, 255).to(torch.uint8)
        return Arrays(x, y, None, None, self.classes)

    def _draw(self, purpose: str, low: int, high: int, shape: tuple[int, ...]) -> Tensor:
        """Draw whole numbers in low…high, both included."""
        generator = torch.Generator().manual_seed(key(self.seed, f"synthetic/{purpose}"))
        return torch.randint(low, high + 1, shape, generator=generator)
