"""Split a data set into a training, a validation and a test part, stratified, by a seed of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from lrsched.data.arrays import Arrays
from lrsched.data.counts import check_fraction, held_out
from lrsched.errors import ConfigError
from lrsched.seeds import key


@dataclass(frozen=True, eq=False)
class Splits:
    """Three parts of a data set, and statistics of the training part.

    Args:
        train_x, validation_x, test_x: uint8 [N, C, H, W].
        train_y, validation_y, test_y: int64 [N].
        classes: number of classes.
        mean, std: float32 [C], of the raw values of the training part.
        places: int64 [N] each: where the samples of the training and the validation part, and of a test part that was
            held out, lie in the source's training part.
    """

    train_x: Tensor
    train_y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    mean: Tensor
    std: Tensor
    places: tuple[Tensor, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image, for the model."""
        channels, height, width = self.train_x.shape[1:]
        return channels, height, width


def split(arrays: Arrays, *, validation: float, test: float, seed: int) -> Splits:
    """Hold out a test part, unless the source has one, then a validation part of the rest.

    Args:
        arrays: the data set.
        validation: fraction of the training part, without the test part.
        test: fraction of the whole; unused if the source has a test part.
        seed: of the split, not of the run: runs of different seeds share their test images.

    Raises:
        ConfigError: a fraction outside (0, 1), or one that leaves a part without a class.
    """
    x, y, test_x, test_y = arrays.train_x, arrays.train_y, arrays.test_x, arrays.test_y
    places = parts_of(y, validation=validation, test=test if test_x is None or test_y is None else None, seed=seed)
    if test_x is None or test_y is None:
        test_x, test_y = x[places[2]], y[places[2]]
    train_x, validation_x = x[places[0]], x[places[1]]
    mean, std = statistics(train_x)
    train_y, validation_y = y[places[0]], y[places[1]]
    return Splits(train_x, train_y, validation_x, validation_y, test_x, test_y, arrays.classes, mean, std, places)


def parts_of(labels: Tensor, *, validation: float, test: float | None, seed: int) -> tuple[Tensor, ...]:
    """Where the samples of each part lie, int64 [N] each: training, validation, and test if it is held out.

    Args:
        labels: int64 [N].
        validation, test, seed: as for :func:`split`; a test part of None is not held out.

    Raises:
        ConfigError: as for :func:`split`.
    """
    if test is None:
        return stratified(labels, validation, seed, "validation")
    rest, held_out_test = stratified(labels, test, seed, "test")
    training, held = stratified(labels[rest], validation, seed, "validation")
    return rest[training], rest[held], held_out_test


def stratified(labels: Tensor, fraction: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """Hold out a fraction of the samples, of each class alike.

    The held-out part has round(fraction·N) samples, half up, in exact decimal arithmetic. A class of n
    samples gives ⌊fraction·n⌋ of them; the classes with the largest remainders give one more each until
    the number is reached, lower labels first (Hamilton's method).

    Args:
        labels: int64 [N].
        fraction: above 0 and below 1.
        seed, purpose: key of the draw; ``purpose`` is also the config key in errors.

    Returns:
        Indices of the rest and of the held-out part, int64, both sorted.

    Raises:
        ConfigError: a fraction outside (0, 1), or one that leaves either part without a class.

    >>> labels = torch.tensor([0] * 6 + [1] * 3)
    >>> rest, held = stratified(labels, 0.5, seed=0, purpose="test")  # 9/2 → 5 samples, of quotas 3 and 3/2
    >>> labels[rest].tolist(), labels[held].tolist()
    ([0, 0, 0, 1], [0, 0, 0, 1, 1])
    """
    check_fraction(purpose, fraction)
    members = {label: (labels == label).nonzero().flatten() for label in labels.unique().tolist()}
    wanted = _apportion({label: len(these) for label, these in members.items()}, fraction)
    rest, held = [], []
    for label, these in members.items():
        if not 0 < wanted[label] < len(these):
            side = "held-out part" if not wanted[label] else "rest"
            rule = f"leaves no sample of class {label} in the {side}: it has {len(these)} of {len(labels)}"
            raise ConfigError(purpose, fraction, rule, "give a fraction nearer to 0.5, or more data")
        generator = torch.Generator().manual_seed(key(seed, f"split/{purpose}", label))
        shuffled = these[torch.randperm(len(these), generator=generator)]
        held.append(shuffled[: wanted[label]])
        rest.append(shuffled[wanted[label] :])
    return torch.cat(rest).sort().values, torch.cat(held).sort().values


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
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


def _apportion(sizes: dict[int, int], fraction: float) -> dict[int, int]:
    """Find whole numbers near fraction·size that add up to round(fraction·Σ size), by largest remainder."""
    total = held_out(sum(sizes.values()), fraction)
    exact = {label: Fraction(repr(float(fraction))) * size for label, size in sizes.items()}
    whole = {label: math.floor(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (whole[label] - exact[label], label))
    for label in by_remainder[: total - sum(whole.values())]:
        whole[label] += 1
    return whole
