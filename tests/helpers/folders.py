"""Folders of small pictures, drawn from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def photos(root: Path, classes: tuple[str, ...] = ("cat", "dog", "owl"), each: int = 8, seed: int = 0) -> None:
    """Noise whose red, green or blue is brighter: a folder for each class, PNG files of unequal size.

    Args:
        root: the folder.
        classes: at most three.
        each: pictures in a class.
        seed: of the noise.
    """
    draw = np.random.default_rng(seed)
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = draw.integers(0, 120, (9 + number % 3, 8 + number % 2, 3))
            pixels[..., label] += 100
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")


def leaves(root: Path, count: int = 20, seed: int = 0, values: tuple[int, int] = (0, 1)) -> None:
    """Bright squares on noise, in ``images``; and in ``masks`` where they are.

    Args:
        root: the folder.
        count: of pairs.
        seed: of all.
        values: outside and inside of a square.
    """
    draw = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        y, x = draw.integers(0, 8, 2)
        inside = np.zeros((12, 16), dtype=bool)
        inside[y : y + 6, x : x + 6] = True
        pixels = draw.integers(0, 120, (12, 16, 3)) + 100 * inside[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(root / "images" / f"{number}.png")
        Image.fromarray(np.where(inside, values[1], values[0]).astype(np.uint8)).save(root / "masks" / f"{number}.png")
