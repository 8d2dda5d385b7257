"""CIFAR-100."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.data import cifar
from lrsched.data.arrays import Arrays, Source


@dataclass(frozen=True, kw_only=True)
class CIFAR100(Source):
    """Small photographs: 50,000 + 10,000 colour images of 32x32 pixels, a hundred fine classes.

    With 500 training images per class, regularisation decides.

    Args:
        root: folder that has ``cifar-100-python``; downloaded there if it is missing.

    Raises:
        DataError: the files are missing or damaged and cannot be downloaded.

    References:
        Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
        https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
    """

    root: str = "data"

    def load(self) -> Arrays:
        """Images uint8 [50000, 3, 32, 32], and the test part."""
        return cifar.load("CIFAR100", self.root)
