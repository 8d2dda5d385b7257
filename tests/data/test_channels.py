"""Pictures of bytes whose channels come last are refused, with the word that turns them, and others are not."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import TensorDataset

from lrsched.data.items import Items
from lrsched.errors import DataError


def items(*shape: int, dtype: torch.dtype = torch.uint8) -> Items:
    return Items(TensorDataset(torch.zeros(20, *shape, dtype=dtype), torch.arange(20) % 2))


def test_channels_that_come_last() -> None:
    with pytest.raises(DataError) as refused:
        items(8, 9, 3)
    rule = "images are [C, H, W], and these are [8, 9, 3]; give image.permute(2, 0, 1)"
    assert str(refused.value) == f"dataset.train: {rule}"


@pytest.mark.parametrize("shape", [(3, 8, 9), (4, 9, 3), (8, 9, 5), (8, 3)], ids=str)
def test_what_may_be_channels_first(shape: tuple[int, ...]) -> None:
    assert items(*shape).facts["input_shape"] == shape
    assert items(8, 9, 3, dtype=torch.float32).facts["input_shape"] == (8, 9, 3)
