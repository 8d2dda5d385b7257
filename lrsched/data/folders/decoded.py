"""Pictures read from files and brought to one size, one by one: what a cache is built of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lrsched.data.files import unreadable
from lrsched.data.folders.read import Numbers, read_mask, read_picture
from lrsched.data.folders.size import Size
from lrsched.data.folders.walk import pictures
from lrsched.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from lrsched.data.folders.coding import Coding

FORM = 1
"""The number of what is stored. It rises when pixels come out otherwise."""

SEEN = 256

MOST = 1 << 28
"""Pixels of a picture before it is cut."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """The pictures of a part, and the label or the mask of each. Its items are mappings of tensors:

    - ``x``: uint8 [C, H, W]
    - ``y``: int64, the class; or uint8 [H, W], the class of each pixel
    - ``sums``: int64 [C, 2], Σ v and Σ v² over the pixels of each channel
    - ``content``: int64 [2], a hash of x and y
    - ``seen``: bool [256], the labels in the mask's file; of masks alone

    Args:
        root: of the data set.
        files: of pictures.
        targets: a label, or a file of a mask, of each.
        channels: 3 or 1.
        size: of all.
        coding: of masks, or None.
    """

    root: Path
    files: Sequence[str]
    targets: Sequence[int] | Sequence[str]
    channels: int
    size: Size
    coding: Coding | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        file, target = Path(self.files[number]), self.targets[number]
        image = read_picture(file, self.channels)
        more: dict[str, Tensor] = {}
        if isinstance(target, str):
            y, more["seen"] = self._mask(Path(target), file, (image.height, image.width))
        else:
            y = np.array(target)
        x = brought(image, self.size, file)
        digest = hashlib.blake2b(x.tobytes() + y.tobytes(), digest_size=16).digest()
        return {
            "x": torch.from_numpy(x),
            "y": torch.from_numpy(y),
            "sums": torch.from_numpy(sums(x)),
            "content": torch.from_numpy(np.frombuffer(digest, dtype="<i8").copy()),
            **more,
        }

    def known(self) -> str:
        """What the stored pixels depend on: the files by name, length and time of change; size, channels, coding."""
        import PIL

        asked = [FORM, PIL.__version__, vars(self.size), self.channels, str(self.root.absolute())]
        digest = hashlib.sha256(json.dumps(asked).encode())
        for file, target in zip(self.files, self.targets, strict=True):
            digest.update(
                f"{self._stamp(file)} {self._stamp(target) if isinstance(target, str) else target}\n".encode()
            )
        if self.coding is not None:
            digest.update(self.coding.table.tobytes())
        return digest.hexdigest()

    def _stamp(self, file: str) -> str:
        try:
            told = os.stat(file)
        except OSError as error:
            raise unreadable(Path(file), error) from error
        return f"{file.removeprefix(str(self.root))!r} {told.st_size} {told.st_mtime_ns}"

    def _mask(self, file: Path, picture: Path, size: tuple[int, int]) -> tuple[Numbers, Tensor]:
        """The labels of a mask in the size of all, and which labels its file has."""
        from PIL import Image

        assert self.coding is not None
        mask = read_mask(file)
        if mask.shape != size:
            told, turned = f"{mask.shape[0]}x{mask.shape[1]}", ""
            if mask.shape == size[::-1]:
                turned = " (as its EXIF orientation turns it, or the mask is turned)"
            rule = f"is {told} pixels high and wide, and its picture {picture.name} {size[0]}x{size[1]}{turned}"
            raise DataError(f"{file}: {rule}; make the mask in the size of the picture")
        labels = self.coding.coded(mask, file)
        seen = torch.from_numpy(np.bincount(labels.ravel(), minlength=SEEN) > 0)
        return np.array(self.size.bring(Image.fromarray(labels), Image.Resampling.NEAREST)), seen


def brought(image: Image, size: Size, file: Path) -> Numbers:
    """A picture in its size, uint8 [C, H, W].

    Raises:
        DataError: it is so long that it would be scaled to fill the memory.
    """
    from PIL.Image import Resampling

    height, width = size.scaled(image.height, image.width)
    if height * width > MOST:
        rule = f"is {image.height}x{image.width} pixels high and wide, and scaled to cover the size {height}x{width}"
        raise DataError(f"{file}: {rule}; cut it, or give dataset.fit=squash")
    pixels = np.array(size.bring(image, Resampling.BILINEAR))
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def inputs_at(path: str, channels: int, size: Size) -> Tensor:
    """The picture in a file, or those in a folder in the order of their names: uint8 [N, C, H, W].

    Raises:
        DataError: names the file that cannot be read, or the folder without one.
    """
    place = Path(path).expanduser()
    files = list(map(Path, pictures(place))) if place.is_dir() else [place]
    if not files:
        raise DataError(f"{place}: holds no picture")
    return torch.stack([torch.from_numpy(brought(read_picture(file, channels), size, file)) for file in files])


def sums(x: Numbers) -> Numbers:
    """Σ v and Σ v² of each channel of a picture uint8 [C, H, W]: int64 [C, 2].

    >>> sums(np.array([[[1, 2]], [[0, 255]]], dtype=np.uint8)).tolist()
    [[3, 5], [255, 65025]]
    """
    flat = x.reshape(len(x), -1).astype(np.int64)
    return np.stack([flat.sum(1), (flat * flat).sum(1)], axis=1)
