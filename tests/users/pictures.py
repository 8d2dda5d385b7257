"""Three problems with files of pictures, as their users write them: real pixels, of scikit-learn's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from tests.users.problems import Problem

SCANS = '''
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset


class Scans(Dataset):
    """Digits in PNG files, the label in the name; each a little darker or lighter, and moved, when it is read."""

    classes = 10

    def __init__(self, folder):
        self.files = sorted(Path(folder).glob("*.png"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, number):
        file = self.files[number]
        with Image.open(file) as image:
            pixels = np.roll(np.asarray(image, dtype=np.float32), random.randint(-1, 1), axis=1)
        x = torch.from_numpy(pixels)[None] / 16 * np.random.uniform(0.8, 1.2) + 0.05 * torch.randn(1, 8, 8)
        return x, int(file.stem.split("_")[1])
'''


def scans(place: Path) -> None:
    """Three hundred digits of 8 x 8 pixels, a file each."""
    digits: Any = load_digits()
    (place / "scans").mkdir()
    for number in range(300):
        image = Image.fromarray(digits.images[number].astype(np.uint8))
        image.save(place / "scans" / f"{number:04}_{digits.target[number]}.png")


def crops(count: int) -> list[list[np.ndarray[Any, Any]]]:
    """Pieces of a temple and of a flower, of unequal size."""
    images: Any = load_sample_images()
    draw = np.random.default_rng(0)
    found: list[list[np.ndarray[Any, Any]]] = []
    for image in images.images:
        places = draw.integers(0, 300, (count, 2)).tolist()
        found.append([image[y : y + 60 + n % 7, x : x + 50 + n % 5] for n, (y, x) in enumerate(places)])
    return found


def photographs(place: Path) -> None:
    """A folder for each photograph, with pieces of it as JPEG files; some were taken with the camera on its side."""
    for name, pieces in zip(("temple", "flower"), crops(60), strict=True):
        (place / "photographs" / name).mkdir(parents=True)
        for number, piece in enumerate(pieces):
            exif = Image.Exif()
            exif[0x0112] = (1, 6, 3)[number % 3]
            Image.fromarray(piece).save(place / "photographs" / name / f"{number}.jpg", exif=exif)
        (place / "photographs" / name / ".DS_Store").touch()


def petals(place: Path) -> None:
    """Pieces of the flower, and where it is red: 255, or nobody knows: 128."""
    for name in ("images", "masks"):
        (place / "petals" / name).mkdir(parents=True)
    for number, piece in enumerate(crops(60)[1]):
        redder = piece[..., 0].astype(int) - piece[..., 1]
        mask = np.where(redder > 40, 255, np.where(redder > 20, 128, 0)).astype(np.uint8)
        Image.fromarray(piece).save(place / "petals" / "images" / f"{number}.jpg")
        Image.fromarray(mask).save(place / "petals" / "masks" / f"{number}_mask.png")


PICTURES = {
    "files with a Dataset of one's own": Problem(
        (
            *("dataset=torch", "+dataset.train={_target_: scans.Scans, folder: scans}"),
            *("dataset.workers=2", "dataset.batch_size=32", "model=cnn"),
        ),
        "val/accuracy",
        scans,
        {"scans.py": SCANS},
        "scans",
    ),
    "folders of photographs": Problem(
        (
            *("dataset=imagefolder", "dataset.root=photographs", "dataset.size=24", "dataset.augment.flip=true"),
            *("dataset.batch_size=16", "dataset.augment.crop=2", "model=cnn"),
        ),
        "val/accuracy",
        photographs,
    ),
    "petals with masks": Problem(
        (
            *("dataset=imagemasks", "dataset.root=petals", "dataset.suffix=_mask", "dataset.size=[16,24]"),
            *("dataset.labels={0: background, 255: petal, 128: null}", "task.ignore=255", "dataset.augment.flip=true"),
            *("task=segmentation", "model=unet", "model.width=4", "model.depth=2", "dataset.batch_size=8"),
        ),
        "val/miou",
        petals,
    ),
}
