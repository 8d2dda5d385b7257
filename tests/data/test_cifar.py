"""CIFAR, from small folders in its own format."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch

from lrsched.data import CIFAR10, CIFAR100
from lrsched.errors import DataError

FETCH = "torchvision.datasets.cifar.download_and_extract_archive"
Source = type[CIFAR10] | type[CIFAR100]


def pixels(first: int, n: int) -> np.ndarray:
    """n images as rows of 3072 bytes, one colour plane after the other: row i is first + i, plus 0, 1, 2."""
    planes = np.arange(first, first + n, dtype=np.uint8)[:, None, None] + np.arange(3, dtype=np.uint8)[None, :, None]
    return np.broadcast_to(planes, (n, 3, 1024)).reshape(n, 3072).copy()


def torchvisions(source: Source) -> Any:
    """Its class in torchvision, which takes seconds to import."""
    from torchvision import datasets

    return getattr(datasets, source.__name__)


@pytest.fixture(params=[CIFAR10, CIFAR100])
def source(request: pytest.FixtureRequest) -> Source:
    return request.param


@pytest.fixture
def write(source: Source, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Writes the data set into a folder; torchvision expects the sums of these files."""
    peer = torchvisions(source)
    key = "labels" if source is CIFAR10 else "fine_labels"
    parts = [name for name, _ in (*peer.train_list, *peer.test_list)]
    contents = {name: pickle.dumps({"data": pixels(10 * i, 4), key: [0, 1, 2, i % 3]}) for i, name in enumerate(parts)}
    contents[peer.meta["filename"]] = pickle.dumps({peer.meta["key"]: ["cat", "dog", "ship"]})
    sums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(peer, "train_list", [[name, sums[name]] for name, _ in peer.train_list])
    monkeypatch.setattr(peer, "test_list", [[name, sums[name]] for name, _ in peer.test_list])
    monkeypatch.setattr(peer, "meta", {**peer.meta, "md5": sums[peer.meta["filename"]]})

    def writer(root: Path) -> None:
        folder = root / peer.base_folder
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)

    return writer


def test_values_shapes_and_labels(source: Source, write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path)
    arrays = source(root=str(tmp_path)).load()
    batches = 5 if source is CIFAR10 else 1
    assert arrays.train_x.shape == (4 * batches, 3, 32, 32)
    assert arrays.train_x.is_contiguous()
    assert arrays.test_x is not None
    assert arrays.test_y is not None
    expected = torch.tensor([10 * b + i for b in range(batches) for i in range(4)])[:, None] + torch.arange(3)
    assert torch.equal(arrays.train_x, expected[:, :, None, None].expand(-1, -1, 32, 32).to(torch.uint8))
    assert arrays.train_y.tolist() == [label for b in range(batches) for label in (0, 1, 2, b % 3)]
    assert arrays.test_x[:, 0, 0, 0].tolist() == [10 * batches + i for i in range(4)]
    assert arrays.test_y.tolist() == [0, 1, 2, batches % 3]
    assert arrays.classes == 3


@pytest.mark.parametrize("damaged", [False, True])
def test_missing_or_damaged_files_are_named(
    damaged: bool, source: Source, write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*args: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(FETCH, offline)
    peer = torchvisions(source)
    if damaged:
        write(tmp_path)
        (tmp_path / peer.base_folder / peer.train_list[0][0]).write_bytes(b"half")
    with pytest.raises(DataError) as caught:
        source(root=str(tmp_path)).load()
    message = str(caught.value)
    assert message.startswith(f"{source.__name__}: not found, or not intact, in {tmp_path / peer.base_folder}: ")
    assert all(name in message for name, _ in (*peer.train_list, *peer.test_list))
    assert "; the download failed: urlopen error no route to host; " in message
    assert f"unpack {peer.filename} in {tmp_path}, or name another folder of data sets with dataset.root=" in message


def test_a_download_lands_in_its_place_and_mends(
    source: Source, write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FETCH, lambda url, download_root, filename, md5: write(Path(download_root)))
    folder = tmp_path / torchvisions(source).base_folder
    folder.mkdir()
    (folder / torchvisions(source).test_list[0][0]).write_bytes(b"half")
    assert source(root=str(tmp_path)).load().classes == 3
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
