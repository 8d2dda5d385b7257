"""Arrays checks its data on construction."""

from __future__ import annotations

import pytest
import torch

from lrsched.data.arrays import Arrays
from lrsched.errors import DataError


def parts(**changes) -> dict:
    x, y = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 2, 0])
    return {"train_x": x, "train_y": y, "test_x": x[:2], "test_y": y[:2], "classes": 3} | changes


def test_good_parts_pass() -> None:
    assert Arrays(**parts()).classes == 3
    assert Arrays(**parts(test_x=None, test_y=None)).test_x is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train_x": torch.zeros(4, 1, 8, 8)},
            r"^train images: must be uint8 \[N, C, H, W\], not float32 \[4, 1, 8, 8\]",
        ),
        ({"train_x": torch.zeros(4, 8, 8, dtype=torch.uint8)}, r"not uint8 \[4, 8, 8\]"),
        ({"train_y": torch.zeros(4, dtype=torch.int32)}, r"^train labels: must be int64 \[N\], not int32 \[4\]"),
        ({"train_y": torch.zeros(4, 1, dtype=torch.int64)}, r"not int64 \[4, 1\]"),
        ({"train_y": torch.tensor([0, 1, 2])}, "^train part: 4 images but 3 labels"),
        ({"train_y": torch.tensor([0, 1, 3, 0])}, r"^train labels: lie in \[0, 3\], but must lie in \[0, 3\)"),
        ({"test_y": torch.tensor([-1, 0])}, r"^test labels: lie in \[-1, 0\]"),
        ({"train_y": torch.tensor([1, 1, 1, 1])}, "all samples are of one class"),
        ({"train_x": torch.zeros(4, 1, 0, 8, dtype=torch.uint8)}, "there is no pixel"),
        (
            {"test_x": torch.zeros(0, 1, 8, 8, dtype=torch.uint8), "test_y": torch.zeros(0).long()},
            "^test images: there is",
        ),
        ({"test_x": None}, "come together or not at all"),
        ({"test_x": torch.zeros(2, 1, 9, 8, dtype=torch.uint8)}, r"\(1, 8, 8\) and test images \(1, 9, 8\)"),
    ],
)
def test_bad_parts_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Arrays(**parts(**changes))
