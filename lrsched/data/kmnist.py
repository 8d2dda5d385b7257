"""Kuzushiji-MNIST."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.data import idx
from lrsched.data.arrays import Arrays, Source


@dataclass(frozen=True, kw_only=True)
class KMNIST(Source):
    """Cursive Japanese characters in MNIST's form: 60,000 + 10,000 grey images of 28x28 pixels.

    Ten hiragana, one from each row of the syllabary, each written in several ways.

    Args:
        root: folder that has ``KMNIST/raw``; downloaded there if a file is missing.

    Raises:
        DataError: the files are missing and cannot be downloaded, or are damaged.

    References:
        Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, https://arxiv.org/abs/1812.01718
    """

    root: str = "data"

    def load(self) -> Arrays:
        """Images uint8 [60000, 1, 28, 28], and the test part."""
        return idx.load("KMNIST", self.root)
