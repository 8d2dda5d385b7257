"""CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.data import cifar
from lrsched.data.arrays import Arrays, Source


@dataclass(frozen=True, kw_only=True)
class CIFAR10(Source):
    """Small photographs: 50,000 + 10,000 colour images of 32x32 pixels, ten classes.

    Classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Args:
        root: folder that has ``cifar-10-batches-py``; downloaded there if it is missing.

    Raises:
        DataError: the files are missing or damaged and cannot be downloaded.

    References:
        Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
        https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
    """

    source = "CIFAR10"
    """Name of the class of torchvision that downloads it; not a parameter."""

    root: str = "data"

    def load(self) -> Arrays:
        """Images uint8 [50000, 3, 32, 32], and the test part."""
        return cifar.load(self.source, self.root)
