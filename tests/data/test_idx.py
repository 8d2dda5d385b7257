"""The IDX format, on files written by the tests."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
import torch

from lrsched.data import idx
from lrsched.errors import DataError

VALUES = bytes(range(24))
HEADER = bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 3, 4)


@pytest.mark.parametrize("packed", [False, True])
def test_values_and_shape(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / ("images-idx3-ubyte" + (".gz" if packed else ""))
    file.write_bytes(gzip.compress(HEADER + VALUES, mtime=0) if packed else HEADER + VALUES)
    assert torch.equal(idx.read(file), torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4))


def test_labels_have_one_dimension(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 255, 0]))
    assert idx.read(file).tolist() == [7, 255, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is not an IDX file of unsigned bytes \(it starts with nothing\)"),
        (HEADER[:3], r"it starts with 00 00 08\)"),
        (HEADER[:10], "is not an IDX file"),
        (b"\x00\x00\x0d\x03" + HEADER[4:] + VALUES, "it starts with 00 00 0d 03"),  # floats
        (b"\x01\x00\x08\x03" + HEADER[4:] + VALUES, "it starts with 01 00 08 03"),
        (b"\x00\x00\x08\x00", "is not an IDX file"),  # no dimension
        (gzip.compress(HEADER + VALUES, mtime=0), "it starts with 1f 8b"),  # packed, but named as if it were not
        (HEADER + VALUES[:-1], "holds 23 values, but its header says 2x3x4 = 24"),
        (HEADER + VALUES + b"!", "holds 25 values, but its header says 2x3x4 = 24"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 0]), "is empty"),
    ],
)
def test_a_damaged_file_is_refused_by_name(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"{file}: .*{message}.*; delete it"):
        idx.read(file)


def test_a_damaged_archive_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.compress(HEADER + VALUES, mtime=0)
    for content in (b"no gzip", whole[:-9], whole[:12] + b"\xff\xff\xff" + whole[15:]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=f"{file}: cannot be read"):
            idx.read(file)
    with pytest.raises(DataError, match="cannot be read"):
        idx.read(tmp_path / "nowhere")
