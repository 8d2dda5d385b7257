"""MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.data import idx
from lrsched.data.arrays import Arrays, Source


@dataclass(frozen=True, kw_only=True)
class MNIST(Source):
    """Handwritten digits: 60,000 + 10,000 grey images of 28x28 pixels, ten classes.

    Args:
        root: folder that has ``MNIST/raw``; downloaded there if a file is missing.

    Raises:
        DataError: the files are missing and cannot be downloaded, or are damaged.

    References:
        LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998,
        https://doi.org/10.1109/5.726791
    """

    source = "MNIST"
    """Name of the class of torchvision that downloads it; not a parameter."""

    root: str = "data"

    def load(self) -> Arrays:
        """Images uint8 [60000, 1, 28, 28], and the test part."""
        return idx.load(self.source, self.root)
