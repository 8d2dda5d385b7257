"""Synthetic images."""

from __future__ import annotations

import pytest
import torch

from lrsched.data import Synthetic
from lrsched.errors import ConfigError


def test_shape_and_labels() -> None:
    arrays = Synthetic(samples=25, classes=4, channels=3, size=6).load()
    assert arrays.train_x.shape == (25, 3, 6, 6)
    assert arrays.train_x.dtype == torch.uint8
    assert arrays.train_y.tolist() == [i % 4 for i in range(25)]
    assert (arrays.test_x, arrays.test_y, arrays.classes) == (None, None, 4)


def test_it_is_a_function_of_its_parameters_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second = Synthetic().load(), Synthetic().load()
    assert torch.equal(first.train_x, second.train_x)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first.train_x, Synthetic(seed=1).load().train_x)


def test_without_noise_images_of_a_class_are_equal() -> None:
    x = Synthetic(samples=30, classes=10, noise=0).load().train_x
    assert torch.equal(x[:10], x[10:20])
    assert len({tuple(image.flatten().tolist()) for image in x}) == 10


def test_noise_stays_within_its_bound() -> None:
    clean, noisy = (Synthetic(samples=500, size=4, noise=noise).load().train_x.int() for noise in (0, 0.1))
    assert int((noisy - clean).abs().max()) == 26  # round(25.5), half to even


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "^classes=1: must be a whole number of at least 2"),
        ({"samples": 9}, "^samples=9: must be a whole number of at least 10"),
        ({"channels": 0}, "^channels=0"),
        ({"size": 2.5}, "^size=2.5"),
        ({"noise": -0.1}, "^noise=-0.1"),
        ({"noise": float("inf")}, "^noise=inf"),
    ],
)
def test_bad_values_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Synthetic(**options)
