"""Read the IDX files of MNIST and its relatives strictly; download missing ones.

::

    0  0  type  d | d sizes, 4 bytes each, big-endian | the values, last dimension fastest

References:
    LeCun, Cortes, Burges, The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from lrsched.data.arrays import Arrays
from lrsched.data.download import fetch, unavailable
from lrsched.errors import DataError

UNSIGNED_BYTE = 0x08
REMEDY = "delete it and it is downloaded again"
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def load(name: str, root: str, classes: int = 10) -> Arrays:
    """Load the data set from ``<root>/<name>/raw``; download it there if a file is missing.

    Args:
        name: of its folder and of its torchvision class: MNIST, FashionMNIST or KMNIST.
        root: folder of data sets.
        classes: number of labels.

    Raises:
        DataError: a file is missing and cannot be downloaded, or is damaged.
    """
    folder = Path(root).expanduser()
    raw = folder / name / "raw"
    if missing := _missing(raw):
        why = fetch(name, folder)
        if _missing(raw):
            raise unavailable(name, raw, missing, why, "put the files there, as they are or packed (.gz)")
    train_x, train_y, test_x, test_y = (read(_plain_or_gz(raw, file)) for file in NAMES)
    for images, labels in ((train_x, train_y), (test_x, test_y)):
        if images.ndim != 3 or labels.ndim != 1:
            raise DataError(f"{raw}: must hold images of 3 dimensions and labels of 1")
    try:
        return Arrays(train_x.unsqueeze(1), train_y.long(), test_x.unsqueeze(1), test_y.long(), classes)
    except DataError as error:
        raise DataError(f"{raw}: {error}; delete the folder and it is downloaded again") from error


def read(file: Path) -> Tensor:
    """Read an IDX file of unsigned bytes, gzipped if its name ends in ``.gz``.

    Raises:
        DataError: the file cannot be read, is not IDX, or is shorter or longer than its header says.
    """
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read ({error}); {REMEDY}") from error
    dimensions = content[3] if len(content) > 3 else 0
    header = 4 + 4 * dimensions
    if content[:3] != bytes((0, 0, UNSIGNED_BYTE)) or not dimensions or len(content) < header:
        start = content[:4].hex(" ") or "nothing"
        raise DataError(f"{file}: is not an IDX file of unsigned bytes (it starts with {start}); {REMEDY}")
    sizes = struct.unpack_from(f">{dimensions}I", content, 4)
    values, said = len(content) - header, math.prod(sizes)
    if values != said:
        form = "x".join(map(str, sizes))
        raise DataError(f"{file}: holds {values} values, but its header says {form} = {said}; {REMEDY}")
    if not values:
        raise DataError(f"{file}: is empty; {REMEDY}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header).view(sizes)


def _plain_or_gz(raw: Path, name: str) -> Path:
    """Find the plain file, or else the path of the gzipped one."""
    plain = raw / name
    return plain if plain.is_file() else raw / f"{name}.gz"


def _missing(raw: Path) -> list[str]:
    return [name for name in NAMES if not _plain_or_gz(raw, name).is_file()]
