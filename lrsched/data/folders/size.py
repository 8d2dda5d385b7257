"""Bring pictures to one size: where it is cut, and how it is scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from lrsched.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

LARGEST = 8192
"""Pixels of the longest side that can be asked for."""


@dataclass(frozen=True)
class Size:
    """The size of all pictures, and how each is brought to it.

    A picture of h x w pixels becomes one of ``height`` x ``width``, H x W:

    - crop: scaled to cover them, to H x ⌊w·H/h⌋ or ⌊h·W/w⌋ x W, then cut in the middle, from round((h' − H)/2) and
      round((w' − W)/2), a half to the even number. With H = W these are Resize and CenterCrop of torchvision, to the
      last bit.
    - squash: scaled to both sides, whatever their ratio.

    Args:
        height, width: in pixels.
        fit: crop or squash.

    >>> Size(2, 4).scaled(height=6, width=8)
    (3, 4)
    """

    height: int
    width: int
    fit: Literal["crop", "squash"] = "crop"

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a picture before it is cut."""
        if self.fit == "squash":
            return self.height, self.width
        if self.height * width >= self.width * height:  # its height is what binds
            return self.height, width * self.height // height
        return height * self.width // width, self.width

    def bring(self, image: Image, resampling: Resampling) -> Image:
        """The picture in this size."""
        height, width = self.scaled(image.height, image.width)
        if (image.height, image.width) != (height, width):
            image = image.resize((width, height), resampling)
        top, left = round((height - self.height) / 2), round((width - self.width) / 2)
        if (height, width) == (self.height, self.width):
            return image
        return image.crop((left, top, left + self.width, top + self.height))


def size_of(size: Any, fit: Any) -> Size:
    """The size that the keys ``size`` and ``fit`` ask for.

    Raises:
        ConfigError: it is no size.

    >>> size_of([32, 48], "crop")
    Size(height=32, width=48, fit='crop')
    """
    if fit not in ("crop", "squash"):
        raise ConfigError("fit", fit, "must be crop or squash")
    sides = list(cast("Sequence[Any]", size)) if isinstance(size, (list, tuple)) else [size, size]
    if len(sides) != 2 or any(type(side) is not int or not 0 < side <= LARGEST for side in sides):
        rule = f"must be a whole number of pixels from 1 to {LARGEST}, or two: [height, width]"
        raise ConfigError("size", size, rule, "give one such as 64")
    height, width = sides
    return Size(height, width, fit)
