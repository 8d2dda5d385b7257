"""Read CIFAR's files with torchvision, which checks their MD5 sums before it unpickles them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrsched.data.arrays import Arrays
from lrsched.data.download import fetch, unavailable
from lrsched.errors import DataError


def load(name: str, root: str) -> Arrays:
    """Load ``torchvision.datasets.<name>`` from ``root``; download it there if it is missing or damaged.

    Args:
        name: CIFAR10 or CIFAR100.
        root: folder of data sets.

    Raises:
        DataError: the data set is missing or damaged and cannot be downloaded, or torchvision is missing.
    """
    try:
        from torchvision import datasets  # slow to import
    except ImportError as error:
        raise DataError(f"{name} is read by torchvision, which is not installed; pip install torchvision") from error
    source, folder, why = getattr(datasets, name), Path(root).expanduser(), ""
    try:
        train, test = source(folder, train=True), source(folder, train=False)
    except (OSError, RuntimeError):
        why = fetch(name, folder)
        try:
            train, test = source(folder, train=True), source(folder, train=False)
        except (OSError, RuntimeError) as error:
            files = [file for file, _ in (*source.train_list, *source.test_list)] + [source.meta["filename"]]
            remedy = f"unpack {source.filename} in {folder}"
            raise unavailable(name, folder / source.base_folder, files, why, remedy) from error
    try:
        return Arrays(*_tensors(train), *_tensors(test), classes=len(train.classes))
    except DataError as error:
        raise DataError(f"{folder / source.base_folder}: {error}") from error


def _tensors(part: Any) -> tuple[Tensor, Tensor]:
    """Convert a part to images, uint8 [N, 3, 32, 32], and labels, int64 [N]."""
    return torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets)
