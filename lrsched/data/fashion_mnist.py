"""Fashion-MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.data import idx
from lrsched.data.arrays import Arrays, Source


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(Source):
    """Articles of clothing in MNIST's form, and harder: 60,000 + 10,000 grey images of 28x28 pixels.

    Classes: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Args:
        root: folder that has ``FashionMNIST/raw``; downloaded there if a file is missing.

    Raises:
        DataError: the files are missing and cannot be downloaded, or are damaged.

    References:
        Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747
    """

    root: str = "data"

    def load(self) -> Arrays:
        """Images uint8 [60000, 1, 28, 28], and the test part."""
        return idx.load("FashionMNIST", self.root)
