"""Counts without the data equal those of the data."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrsched.data.arrays import Arrays
from lrsched.data.counts import pace, training_samples
from lrsched.data.loader import Loader
from lrsched.data.split import split
from lrsched.data.transform import Standardise
from lrsched.errors import ConfigError


def made_up(samples: int, test: int, classes: int = 3) -> Arrays:
    """``samples`` black pixels, of classes of different sizes, and a test part if asked for."""
    y = (torch.arange(samples) ** 2) % classes
    x = torch.zeros(samples, 1, 1, 1, dtype=torch.uint8)
    held = (torch.zeros(test, 1, 1, 1, dtype=torch.uint8), torch.arange(test) % classes) if test else (None, None)
    return Arrays(x, y, *held, classes)


@pytest.mark.parametrize("test", [0, 30])
@pytest.mark.parametrize("fractions", [(0.1, 0.2), (0.05, 0.1), (0.25, 0.5), (1 / 3, 0.3)], ids=str)
@pytest.mark.parametrize("samples", [97, 100, 250, 1797])
def test_the_split_leaves_as_many_as_was_foreseen(samples: int, test: int, fractions: tuple[float, float]) -> None:
    validation, held = fractions
    splits = split(made_up(samples, test), validation=validation, test=held, seed=0)
    foreseen = training_samples(samples, test, validation_fraction=validation, test_fraction=held)
    assert foreseen == splits.samples


def test_the_digits_by_hand() -> None:
    # 1797·0.2 = 359.4 → 359; 1438·0.1 = 143.8 → 144
    assert training_samples(1797, 0, validation_fraction=0.1, test_fraction=0.2) == 1797 - 359 - 144
    # a half goes up: 45·0.1 = 4.5 → 5
    assert training_samples(45, 5, validation_fraction=0.1, test_fraction=0.2) == 40


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch_size": 16}, (16, 6)),  # 86/16 = 5.375
        ({"batch_size": 43}, (43, 2)),
        ({"batch_size": 100}, (86, 1)),
        ({"batch_size": 16, "accumulate": 4}, (64, 2)),
        ({"batch_size": 16, "limit": 3}, (16, 3)),
        ({"batch_size": 16, "limit": 30}, (16, 6)),
        ({"batch_size": 16, "overfit": 1}, (16, 1)),
    ],
    ids=str,
)
def test_the_loader_keeps_the_pace_that_was_foreseen(options: dict[str, Any], expected: tuple[int, int]) -> None:
    arrays = made_up(86, 0)
    standardise = Standardise(torch.zeros(1), torch.ones(1), torch.device("cpu"))
    loader = Loader(arrays.train, standardise, **options)
    assert (loader.samples_per_step, loader.steps_per_epoch) == expected
    assert pace(86, **options) == loader.pace


@pytest.mark.parametrize(
    ("validation", "test", "key"), [(0.0, 0.2, "validation"), (0.1, 0, "test"), (0.01, 0.2, "val")]
)
def test_a_part_without_samples_is_refused(validation: float, test: float, key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}"):
        training_samples(20, 0, validation_fraction=validation, test_fraction=test)
