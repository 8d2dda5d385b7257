"""The stratified split: exact counts, one seed, and statistics without rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from lrsched.data import Digits, Synthetic
from lrsched.data.images import pixel_statistics as statistics
from lrsched.data.partition import stratified
from lrsched.data.split import split
from lrsched.errors import ConfigError


def labels(*sizes: int) -> torch.Tensor:
    """Labels of that many samples a class, mixed."""
    y = torch.cat([torch.full((size,), label) for label, size in enumerate(sizes)])
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize(
    ("sizes", "fraction", "held"),
    [
        ((10, 20, 30), 0.1, [1, 2, 3]),
        ((10, 20, 33), 0.1, [1, 2, 3]),  # 6.3 → 6; quotas 1, 2, 3.3
        ((15, 15, 14), 0.1, [2, 1, 1]),  # 4.4 → 4; quotas 1.5, 1.5, 1.4: the lower label of the equal two
        ((14, 15, 16), 0.1, [1, 2, 2]),  # 4.5 → 5, half up; quotas 1.4, 1.5, 1.6
        ((50, 50), 0.145, [8, 7]),  # 14.5 → 15, though 0.145 * 100 in floats is 14.499999999999998
        ((3, 3), 0.5, [2, 1]),
        ((2, 1000), 0.4, [1, 400]),  # 400.8 → 401; quotas 0.8, 400
    ],
)
def test_counts_by_hand(sizes: tuple[int, ...], fraction: float, held: list[int]) -> None:
    y = labels(*sizes)
    rest, out = stratified(y, fraction, seed=0, purpose="test")
    assert y[out].bincount().tolist() == held
    assert y[rest].bincount().tolist() == [size - h for size, h in zip(sizes, held, strict=True)]


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 1 / 3, 0.5, 0.85])
def test_every_sample_once_sorted_and_in_proportion(fraction: float) -> None:
    y = labels(40, 57, 101, 23)
    rest, held = stratified(y, fraction, seed=3, purpose="validation")
    assert torch.equal(torch.cat([rest, held]).sort().values, torch.arange(len(y)))
    assert torch.equal(rest, rest.sort().values)
    assert torch.equal(held, held.sort().values)
    exact = Fraction(str(fraction))
    assert len(held) == math.floor(exact * len(y) + Fraction(1, 2))
    for label, size in enumerate((40, 57, 101, 23)):
        assert abs(int((y[held] == label).sum()) - exact * size) < 1


def test_seed_and_purpose_decide() -> None:
    y = labels(50, 50)
    before = torch.get_rng_state()
    first = stratified(y, 0.2, seed=0, purpose="test")[1]
    assert torch.equal(first, stratified(y, 0.2, seed=0, purpose="test")[1])
    assert not torch.equal(first, stratified(y, 0.2, seed=1, purpose="test")[1])
    assert not torch.equal(first, stratified(y, 0.2, seed=0, purpose="validation")[1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("fraction", [0, 1, 0.0, 1.0, -0.1, 1.5, float("nan"), "half"])
def test_a_fraction_lies_between_nothing_and_all(fraction: float) -> None:
    with pytest.raises(ConfigError, match=f"^validation={fraction}: must be a fraction above 0 and below 1"):
        stratified(labels(5, 5), fraction, seed=0, purpose="validation")


def test_no_class_is_left_out_of_a_part() -> None:
    with pytest.raises(
        ConfigError, match=r"^test=0.1: leaves no sample of class 1 in the held-out part: it has 4 of 104"
    ):
        stratified(labels(100, 4), 0.1, seed=0, purpose="test")
    with pytest.raises(ConfigError, match=r"^test=0.9: leaves no sample of class 1 in the rest: it has 4 of 104"):
        stratified(labels(100, 4), 0.9, seed=0, purpose="test")


def test_statistics_by_hand() -> None:
    x = torch.zeros(2, 3, 1, 2, dtype=torch.uint8)
    x[:, 0] = torch.tensor([[[0, 4]], [[4, 0]]])
    x[:, 1] = 7
    x[:, 2] = torch.tensor([[[1, 2]], [[3, 6]]])  # mean 3, variance (4 + 1 + 0 + 9)/4
    mean, std = statistics(x)
    assert mean.tolist() == [2.0, 7.0, 3.0]
    assert torch.equal(std, torch.tensor([2.0, 1.0, math.sqrt(3.5)]))


def test_statistics_against_float64() -> None:
    x = torch.randint(0, 256, (500, 3, 9, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = statistics(x)
    peer = x.numpy().astype(np.float64)
    np.testing.assert_array_max_ulp(mean.numpy(), peer.mean((0, 2, 3)).astype(np.float32), 1)
    np.testing.assert_array_max_ulp(std.numpy(), peer.std((0, 2, 3)).astype(np.float32), 1)


def test_digits_are_split_three_ways() -> None:
    """1797 = 1294 + 144 + 359: 0.2 · 1797 = 359.4, then 0.1 · 1438 = 143.8."""
    arrays = Digits().load()
    parts = split(arrays, validation=0.1, test=0.2, seed=0)
    assert [len(x) for x in (parts.train[0], parts.validation[0], parts.test[0])] == [1294, 144, 359]
    assert [len(y) for y in (parts.train[1], parts.validation[1], parts.test[1])] == [1294, 144, 359]
    assert parts.facts["input_shape"] == (1, 8, 8)
    assert parts.facts["classes"] == 10
    whole = torch.cat([parts.train[1], parts.validation[1], parts.test[1]])
    assert torch.equal(whole.bincount(), arrays.train_y.bincount())
    mean, std = statistics(parts.train[0])
    assert mean.shape == std.shape == (1,)
    peer = parts.train[0].numpy().astype(np.float64)
    np.testing.assert_array_max_ulp(mean.numpy(), peer.mean(keepdims=True).ravel().astype(np.float32), 1)


def test_images_stay_with_their_labels() -> None:
    """Without noise a class is one image, so each part must pair it with its label."""
    parts = split(Synthetic(samples=300, noise=0).load(), validation=0.1, test=0.2, seed=5)
    prototypes = Synthetic(samples=10, noise=0).load().train_x
    for x, y in (
        parts.train,
        parts.validation,
        parts.test,
    ):
        assert torch.equal(x, prototypes[y])
