"""MNIST and its relatives: found, read, downloaded, and the errors if that fails."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from lrsched.data import KMNIST, MNIST, FashionMNIST, idx
from lrsched.data.images import pixel_statistics as statistics
from lrsched.data.split import split
from lrsched.errors import DataError

RELATIVES = [MNIST, FashionMNIST, KMNIST]
FETCH = "torchvision.datasets.mnist.download_and_extract_archive"


def images(n: int) -> bytes:
    return bytes([0, 0, 8, 3]) + struct.pack(">III", n, 28, 28) + bytes(i % 251 for i in range(n * 784))


def labels(n: int) -> bytes:
    return bytes([0, 0, 8, 1]) + struct.pack(">I", n) + bytes(i % 10 for i in range(n))


CONTENTS: dict[str, bytes] = dict(zip(idx.NAMES, (images(30), labels(30), images(20), labels(20)), strict=True))


@pytest.mark.parametrize("source", RELATIVES)
def test_files_are_found_as_they_are_or_packed(source: type[MNIST], tmp_path: Path) -> None:
    raw = tmp_path / source.__name__ / "raw"
    raw.mkdir(parents=True)
    for number, (name, content) in enumerate(CONTENTS.items()):
        packed = number % 2 == 0
        (raw / (name + ".gz" * packed)).write_bytes(gzip.compress(content, mtime=0) if packed else content)
    arrays = source(root=str(tmp_path)).load()
    assert arrays.train_x.shape == (30, 1, 28, 28)
    assert arrays.train_x[1, 0, 0, :3].tolist() == [784 % 251, 785 % 251, 786 % 251]
    assert arrays.train_y.tolist() == [i % 10 for i in range(30)]
    assert arrays.test_y is not None
    assert arrays.test_y.tolist() == [i % 10 for i in range(20)]


@pytest.mark.parametrize("source", RELATIVES)
def test_missing_files_are_named_with_the_reason_and_what_to_do(
    source: type[MNIST], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*args: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(FETCH, offline)
    with pytest.raises(DataError) as caught:
        source(root=str(tmp_path / "here")).load()
    message = str(caught.value)
    assert message == (
        f"{source.__name__}: not found, or not intact, in {tmp_path}/here/{source.__name__}/raw: "
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; "
        "the download failed: urlopen error no route to host; put the files there, as they are or packed (.gz), "
        "or name another folder of data sets with dataset.root=FOLDER"
    )
    assert not (tmp_path / "here").exists()  # a folder made for nothing is not left


def test_a_download_lands_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, download_root: str, filename: str, md5: str) -> None:
        Path(download_root, filename.removesuffix(".gz")).write_bytes(CONTENTS[filename.removesuffix(".gz")])

    monkeypatch.setattr(FETCH, fetch)
    root = tmp_path / "data"
    assert MNIST(root=str(root)).load().train_x.shape == (30, 1, 28, 28)
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert found == {f"MNIST/raw/{name}" for name in idx.NAMES}


def test_a_root_that_cannot_be_written_is_a_reason_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"the download failed: .*file"):
        MNIST(root=str(tmp_path / "file")).load()


def test_images_and_labels_must_be_what_their_names_say(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in idx.NAMES:
        (raw / name).write_bytes(labels(30))
    with pytest.raises(DataError, match="images of 3 dimensions and labels of 1"):
        MNIST(root=str(tmp_path)).load()


def test_the_real_one(real_data: Path) -> None:
    """Counts and pixel statistics as the literature has them (0.1307 and 0.3081 of the range)."""
    arrays = MNIST(root=str(real_data)).load()
    assert arrays.test_x is not None
    assert arrays.test_y is not None
    assert arrays.train_x.shape == (60000, 1, 28, 28)
    assert arrays.test_x.shape == (10000, 1, 28, 28)
    assert arrays.train_y.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert arrays.test_y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert arrays.train_y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    mean, std = statistics(arrays.train_x)
    assert torch.equal(mean, torch.tensor([33.318421449829934]))
    assert torch.equal(std, torch.tensor([78.56748998339798]))
    parts = split(arrays, validation=0.1, test=0.2, seed=0)
    assert (len(parts.train[0]), len(parts.validation[0]), len(parts.test[0])) == (54000, 6000, 10000)
    assert parts.test[0] is arrays.test_x
    assert parts.facts["input_shape"] == (1, 28, 28)
