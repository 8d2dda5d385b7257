"""CIFAR-100."""

from dataclasses import dataclass

from lrsched.data.cifar10 import CIFAR10


@dataclass(frozen=True, kw_only=True)
class CIFAR100(CIFAR10):
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

    source = "CIFAR100"
