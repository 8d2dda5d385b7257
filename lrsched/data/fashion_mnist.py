"""Fashion-MNIST."""

from dataclasses import dataclass

from lrsched.data.mnist import MNIST


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(MNIST):
    """Articles of clothing in MNIST's form, and harder: 60,000 + 10,000 grey images of 28x28 pixels.

    Classes: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Args:
        root: folder that has ``FashionMNIST/raw``; downloaded there if a file is missing.

    Raises:
        DataError: the files are missing and cannot be downloaded, or are damaged.

    References:
        Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747
    """

    source = "FashionMNIST"
