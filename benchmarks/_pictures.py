"""Data sets of the benchmark of data speed: pictures that are decoded one by one, items that only take time, arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

CLASSES = 10
SIDE = 224


def draw(folder: Path, count: int, kind: str) -> None:
    """Write pictures of 224 × 224 pixels: smooth colours with some noise, as photographs are."""
    numbers = np.random.default_rng(0)
    place = np.linspace(0, 3, SIDE)
    for number in range(count):
        waves = np.sin(place[:, None] * numbers.uniform(1, 9, 3) + numbers.uniform(0, 6, 3))
        pixels = 127 + 60 * waves[:, None] * waves[None] + numbers.normal(0, 8, (SIDE, SIDE, 3))
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{number:05}.{kind}", quality=90)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Files that PIL decodes; float32 [3, 224, 224] from 0 to 1.

    Args:
        folder: of the files.
    """

    classes = CLASSES

    def __init__(self, folder: str) -> None:
        self.files = sorted(str(file) for file in Path(folder).iterdir() if file.is_file())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        with Image.open(self.files[number]) as picture:
            pixels = np.array(picture.convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255), number % CLASSES


class Small(Dataset[tuple[Tensor, int]]):
    """Items of float32 [3, 32, 32] that a few dozen small operations make.

    Args:
        samples: how many there are.
        operations: for each.
    """

    classes = CLASSES

    def __init__(self, samples: int, operations: int) -> None:
        self.samples, self.operations = samples, operations
        self.x = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        x = self.x[number % 64]
        for _ in range(self.operations):
            x = x * 1.0001
        return x, number % CLASSES


class Arrays(Dataset[tuple[Any, int]]):
    """The rows of a file that numpy.savez wrote.

    Args:
        path: of the file, which holds x and y.
    """

    classes = CLASSES

    def __init__(self, path: str) -> None:
        with np.load(path) as arrays:
            self.x, self.y = arrays["x"], arrays["y"]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        return self.x[number], int(self.y[number])
