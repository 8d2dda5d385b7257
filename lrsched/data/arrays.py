"""Define Source, the base class of data sets, and Arrays, their images and labels in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.errors import DataError


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images and labels of one data set, checked.

    Args:
        train_x: uint8 [N, C, H, W], raw pixel values.
        train_y: int64 [N], classes counted from 0.
        test_x, test_y: the source's own test part, in the same form, or None.
        classes: number of classes, at least 2.

    Raises:
        DataError: a tensor of another type or shape, parts of different shapes, no sample, a label outside
            [0, classes), or a training part with fewer than two classes.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor | None
    test_y: Tensor | None
    classes: int

    def __post_init__(self) -> None:
        if type(self.classes) is not int or self.classes < 2:
            raise DataError(f"classes: must be a whole number of at least 2, not {self.classes!r}")
        _check_part("train", self.train_x, self.train_y, self.classes)
        if self.train_y.unique().numel() < 2:
            raise DataError("train labels: all samples are of one class; there is nothing to tell apart")
        if (self.test_x is None) != (self.test_y is None):
            raise DataError("test part: images and labels come together or not at all")
        if self.test_x is not None and self.test_y is not None:
            _check_part("test", self.test_x, self.test_y, self.classes)
            train, test = tuple(self.train_x.shape[1:]), tuple(self.test_x.shape[1:])
            if train != test:
                raise DataError(f"train images are {train} and test images {test}; they must be of one shape (C, H, W)")


class Source(ABC):
    """A data set. A subclass is a frozen dataclass; its fields are the parameters."""

    @abstractmethod
    def load(self) -> Arrays:
        """Load the whole data set into memory.

        Raises:
            DataError: the data set is missing or damaged.
        """


def _check_part(part: str, x: Tensor, y: Tensor, classes: int) -> None:
    for what, tensor in (("images", x), ("labels", y)):
        if not isinstance(tensor, Tensor):
            raise DataError(f"{part} {what}: must be a torch.Tensor, not a {type(tensor).__name__}")
    if x.dtype != torch.uint8 or x.ndim != 4:
        raise DataError(f"{part} images: must be uint8 [N, C, H, W], not {_form(x)}")
    if y.dtype != torch.int64 or y.ndim != 1:
        raise DataError(f"{part} labels: must be int64 [N], not {_form(y)}")
    if len(x) != len(y):
        raise DataError(f"{part} part: {len(x)} images but {len(y)} labels")
    if not x.numel():
        raise DataError(f"{part} images: there is no pixel in {_form(x)}")
    least, most = int(y.min()), int(y.max())
    if least < 0 or most >= classes:
        raise DataError(f"{part} labels: lie in [{least}, {most}], but must lie in [0, {classes})")


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
