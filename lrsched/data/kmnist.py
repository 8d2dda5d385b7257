"""Kuzushiji-MNIST."""

from dataclasses import dataclass

from lrsched.data.mnist import MNIST


@dataclass(frozen=True, kw_only=True)
class KMNIST(MNIST):
    """Cursive Japanese characters in MNIST's form: 60,000 + 10,000 grey images of 28x28 pixels.

    Ten hiragana, one from each row of the syllabary, each written in several ways.

    Args:
        root: folder that has ``KMNIST/raw``; downloaded there if a file is missing.

    Raises:
        DataError: the files are missing and cannot be downloaded, or are damaged.

    References:
        Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, https://arxiv.org/abs/1812.01718
    """

    source = "KMNIST"
