"""Define Images: pictures and their labels, in memory and checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lrsched.data.batch import Batch, column
from lrsched.data.data import Data, form
from lrsched.data.transform import Augmented, Standardise, Transform
from lrsched.errors import DataError

if TYPE_CHECKING:
    from lrsched.data.augment import Augment


class Images(Data):
    """Pictures and labels of one data set, checked; standardised per channel by the training part.

    Args:
        train_x: uint8 [N, C, H, W], raw pixel values.
        train_y: int64 [N], classes counted from 0.
        test_x, test_y: the source's own test part, uint8 [M, C, H, W] and int64 [M], or None.
        classes: number of classes, at least 2.

    Raises:
        DataError: a tensor of another type or shape, parts of different shapes, no sample, a label outside
            [0, classes), or a training part with fewer than two classes.

    >>> data = Images(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 2]), None, None, classes=3)
    >>> data.samples, data.facts["input_shape"], data.facts["classes"]
    (2, (1, 4, 4), 3)
    """

    def __init__(
        self, train_x: Tensor, train_y: Tensor, test_x: Tensor | None, test_y: Tensor | None, classes: int
    ) -> None:
        if type(classes) is not int or classes < 2:
            raise DataError(f"classes: must be a whole number of at least 2, not {classes!r}")
        _check_part("train", train_x, train_y, classes)
        if train_y.unique().numel() < 2:
            raise DataError("train labels: all samples are of one class; there is nothing to tell apart")
        if (test_x is None) != (test_y is None):
            raise DataError("test part: images and labels come together or not at all")
        test = None
        if test_x is not None and test_y is not None:
            _check_part("test", test_x, test_y, classes)
            ours, theirs = tuple(train_x.shape[1:]), tuple(test_x.shape[1:])
            if ours != theirs:
                shapes = f"train images are {ours} and test images {theirs}"
                raise DataError(f"{shapes}; they must be of one shape (C, H, W)")
            test = (test_x, test_y)
        super().__init__((train_x, train_y), test, facts={"classes": classes}, strata=train_y)

    @property
    def train_x(self) -> Tensor:
        """Images of the training part."""
        return column(self.train, 0)

    @property
    def train_y(self) -> Tensor:
        """Labels of the training part."""
        return column(self.train, 1)

    @property
    def test_x(self) -> Tensor | None:
        """Images of the source's own test part."""
        return None if self.test is None else column(self.test, 0)

    @property
    def test_y(self) -> Tensor | None:
        """Labels of the source's own test part."""
        return None if self.test is None else column(self.test, 1)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.facts["classes"]

    def transform(self, train: Batch, device: torch.device, augment: Augment | None = None) -> Transform:
        """What standardises each channel, after random changes in training if asked for.

        Args:
            train: the training part: images uint8 [N, C, H, W] and labels int64 [N].
            device: of the batches.
            augment: random changes of training images, or None.

        Raises:
            ConfigError: a shift as large as the image.
        """
        mean, std = (each.reshape(1, -1, 1, 1) for each in pixel_statistics(column(train, 0)))
        standardise = Standardise(mean, std, device)
        if augment is None:
            return standardise
        return Augmented(augment.of(train, device, classes=self.classes, mean=mean), standardise)


def pixel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation of each channel of uint8 images [N, C, H, W], float32 [C] each.

    Counts the 256 values of each channel in whole numbers, so sums of millions of terms do not round: with n = Σ count,
    S₁ = Σ v·count and S₂ = Σ v²·count, mean = S₁/n and std = √(n·S₂ − S₁²)/n. The std of a constant channel is 1: it
    needs no scale.
    """
    means, deviations = [], []
    for channel in range(x.shape[1]):
        counts = x[:, channel].flatten().bincount(minlength=256).tolist()
        n, s1 = sum(counts), sum(v * count for v, count in enumerate(counts))
        s2 = sum(v * v * count for v, count in enumerate(counts))
        means.append(s1 / n)
        deviations.append(math.sqrt(n * s2 - s1 * s1) / n or 1.0)
    return torch.tensor(means, dtype=torch.float32), torch.tensor(deviations, dtype=torch.float32)


def _check_part(part: str, x: Tensor, y: Tensor, classes: int) -> None:
    for what, tensor in (("images", x), ("labels", y)):
        if not isinstance(tensor, Tensor):
            raise DataError(f"{part} {what}: must be a torch.Tensor, not a {type(tensor).__name__}")
    if x.dtype != torch.uint8 or x.ndim != 4:
        raise DataError(f"{part} images: must be uint8 [N, C, H, W], not {form(x)}")
    if y.dtype != torch.int64 or y.ndim != 1:
        raise DataError(f"{part} labels: must be int64 [N], not {form(y)}")
    if len(x) != len(y):
        raise DataError(f"{part} part: {len(x)} images but {len(y)} labels")
    if not x.numel():
        raise DataError(f"{part} images: there is no pixel in {form(x)}")
    least, most = int(y.min()), int(y.max())
    if least < 0 or most >= classes:
        raise DataError(f"{part} labels: lie in [{least}, {most}], but must lie in [0, {classes})")
