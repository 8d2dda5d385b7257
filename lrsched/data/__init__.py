"""Data: image sets as uint8 tensors in memory, and batches as a function of (seed, step).

A data set is a frozen dataclass with ``load()``, in a small file of its own. ::

    >>> from lrsched.data import Digits
    >>> arrays = Digits().load()
    >>> tuple(arrays.train_x.shape), arrays.classes
    ((1797, 1, 8, 8), 10)
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
