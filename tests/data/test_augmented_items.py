"""Random changes of images made item by item: those of the same images in memory, whoever makes the items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lrsched.data import Data, Items
from lrsched.data.augment import Augment
from lrsched.data.batch import columns
from lrsched.data.images import pixel_statistics
from lrsched.data.split import split
from lrsched.data.stream.fetch import Part
from lrsched.data.stream.splits import split_items

CPU = torch.device("cpu")
CUT: dict[str, Any] = {"validation": 0.2, "test": 0.2, "seed": 0}
DRAW = torch.Generator().manual_seed(5)
X = torch.randint(1, 256, (40, 3, 6, 5), dtype=torch.uint8, generator=DRAW)
LABELS = torch.randint(3, (40,), generator=DRAW)
MASKS = X[:, 0].long() // 100
ASKED = Augment(crop=2, flip=True, mask_fill=0)


class Rows:
    """Columns by name, row by row."""

    def __init__(self, columns: dict[str, Tensor]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        return {name: column[number] for name, column in self.columns.items()}


class Photos(Items):
    """Items that know their pixels."""

    def statistics(self, train: Part) -> tuple[Tensor, Tensor]:
        return pixel_statistics(X)


def batches(splits: Any, augment: Augment | None, steps: tuple[int, ...] = (0, 3, 2, 3)) -> list[dict[str, Tensor]]:
    loader = splits.loader(splits.transform(CPU, augment), batch_size=4, accumulate=2, seed=7)
    try:
        return [columns(batch) for step in steps for batch in loader.batch(step)]
    finally:
        loader.close()


def same(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]]) -> bool:
    return all(torch.equal(a[name], b[name]) for a, b in zip(ours, theirs, strict=True) for name in a | b)


@pytest.mark.parametrize("y", [LABELS, MASKS], ids=["labels", "masks"])
def test_a_batch_is_that_of_the_same_images_in_memory_whatever_makes_the_items(y: Tensor, tmp_path: Path) -> None:
    memory = batches(split(Data((X, y)), **CUT), ASKED)
    assert not same(memory, batches(split(Data((X, y)), **CUT), None))
    for workers in (0, 2):
        assert same(batches(split_items(Items(TensorDataset(X, y), workers=workers), **CUT), ASKED), memory)
    kept = Items(TensorDataset(X, y), workers=0, cache=True, cache_root=str(tmp_path))
    assert same(batches(split_items(kept, **CUT), ASKED), memory)
    named = batches(split_items(Items(Rows({"picture": X, "what": y}), workers=0), **CUT), ASKED)
    assert same([dict(zip("xy", batch.values(), strict=True)) for batch in named], memory)


def test_a_data_set_that_knows_its_pixels_has_them_standardised() -> None:
    splits = split_items(Photos(TensorDataset(X, LABELS), workers=0), **CUT)
    raw = split_items(Items(TensorDataset(X, LABELS), workers=0), **CUT)
    mean, std = (each.reshape(1, 3, 1, 1) for each in pixel_statistics(X))
    for ours, theirs in zip(batches(splits, ASKED), batches(raw, ASKED), strict=True):
        assert torch.allclose(ours["x"], (theirs["x"] - mean) / std, atol=1e-6)
    (few, _), *_ = splits.in_order("test", splits.transform(CPU, ASKED), batch_size=3)
    numbers = splits.places[2][:3]
    assert torch.allclose(few, (X[numbers] - mean) / std, atol=1e-6)  # an evaluation changes nothing else


def test_a_mask_moves_with_its_image() -> None:
    for batch in batches(split(Data((X, MASKS)), **CUT), Augment(crop=3, flip=True, mask_fill=0)):
        assert torch.equal(batch["y"], batch["x"][:, 0].long() // 100)


def test_one_batch_that_is_overfitted_is_changed_anew_in_each_update() -> None:
    for splits in (split(Data((X, LABELS)), **CUT), split_items(Items(TensorDataset(X, LABELS), workers=0), **CUT)):
        loader = splits.loader(splits.transform(CPU, Augment(crop=2)), batch_size=4, seed=7, overfit=1)
        (first,), (second,), (again,) = (loader.batch(step) for step in (0, 1, 0))
        assert torch.equal(first[1], second[1])
        assert torch.equal(first[0], again[0])
        assert not torch.equal(first[0], second[0])
