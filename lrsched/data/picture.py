"""Read a photograph as colours of coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lrsched.data.data import Data
from lrsched.data.packaged import packaged
from lrsched.data.source import Source
from lrsched.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Picture(Source):
    """One photograph: predict the colour of a pixel from where it is. A regression whose result one can see.

    Each pixel is a sample. Input: x, y of its centre, where the longer side of the picture goes from −1 to 1, x to the
    right and y downwards, the centre of the picture at 0. Target: red, green and blue, from 0 to 1. Held-out pixels
    are drawn at random and lie between the others, so they ask for interpolation. Has no test part.

    Args:
        photograph: china (a temple) or flower; both have 427 x 640 pixels.
        reduce: side of the squares of pixels that are averaged to one; what is left over at the edges is cut off.

    Raises:
        ConfigError: a ``reduce`` that leaves fewer than 2 x 2 pixels.
        DataError: scikit-learn or Pillow is not installed, or the file is damaged.

    References:
        Photographs of scikit-learn, CC BY 2.0: china by D. Russell, flower by dannymac15_1999
    """

    photograph: Literal["china", "flower"] = "china"
    reduce: int = 3

    def __post_init__(self) -> None:
        if not isinstance(self.reduce, int) or isinstance(self.reduce, bool) or self.reduce < 1:
            raise ConfigError("reduce", self.reduce, "must be a whole number of at least 1")

    def load(self) -> Data:
        """x float32 [H·W, 2], y float32 [H·W, 3], row by row; facts ``grid`` (H, W) and ``range``."""
        pixels = self._pixels()
        height, width = pixels.shape[0] // self.reduce, pixels.shape[1] // self.reduce
        if min(height, width) < 2:
            rule = f"leaves {height} x {width} pixels of {pixels.shape[0]} x {pixels.shape[1]}"
            raise ConfigError("reduce", self.reduce, rule, "give a smaller number")
        cut = pixels[: height * self.reduce, : width * self.reduce].double()
        squares = cut.reshape(height, self.reduce, width, self.reduce, 3)
        colours = squares.sum((1, 3)) / (255 * self.reduce**2)  # sums of whole numbers: exact
        return Data(
            (coordinates(height, width), colours.float().reshape(-1, 3)),
            facts={"range": 1.0, "grid": (height, width)},
        )

    def _pixels(self) -> Tensor:
        """The file as uint8 [H, W, 3]."""
        file = packaged(f"images/{self.photograph}.jpg", "the photographs come")
        try:
            from PIL import Image, UnidentifiedImageError  # not needed by any other data set
        except ImportError as error:
            raise DataError("the photographs are read by Pillow, which is not installed; pip install pillow") from error
        try:
            with Image.open(file) as image:
                return torch.from_numpy(np.array(image.convert("RGB")))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"{file}: cannot be read as a photograph ({error}); reinstall scikit-learn") from error


def coordinates(height: int, width: int) -> Tensor:
    """x and y of each pixel's centre, row by row, float32 [height·width, 2].

    >>> coordinates(1, 2)
    tensor([[-0.5000,  0.0000],
            [ 0.5000,  0.0000]])
    """
    longer = max(height, width)
    y, x = ((2 * torch.arange(side, dtype=torch.float64) + 1 - side) / longer for side in (height, width))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], 2).reshape(-1, 2).float()
