"""The digits that come with scikit-learn."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest
import torch

from lrsched.data import Digits, digits, packaged
from lrsched.errors import DataError


def test_they_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    arrays = Digits().load()
    assert torch.equal(arrays.train_x.flatten(1).double(), torch.from_numpy(pixels))
    assert torch.equal(arrays.train_y, torch.from_numpy(target))
    assert arrays.train_x.shape == (1797, 1, 8, 8)
    assert int(arrays.train_x.max()) == 16
    assert (arrays.test_x, arrays.test_y, arrays.classes) == (None, None, 10)


def test_neither_the_shelf_nor_the_digits_import_anything_heavy() -> None:
    code = (
        "import sys, lrsched.data as data; dir(data); data.Digits().load(); "
        "sys.exit(bool({'sklearn', 'scipy', 'torchvision'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_loading_them_is_fast() -> None:
    seconds = []
    for _ in range(3):
        start = perf_counter()
        Digits().load()
        seconds.append(perf_counter() - start)
    assert min(seconds) < 0.08


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "cannot be read as digits"),
        (gzip.compress(b"1,2,3\n", mtime=0)[:-9], "cannot be read as digits"),
        (gzip.compress(b"1,two,3\n", mtime=0), "cannot be read as digits"),
        (gzip.compress(b"1,2,3\n4,5,6\n", mtime=0), r"holds \(2, 3\) numbers, not \(1797, 65\)"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "digits.csv.gz"
    file.write_bytes(content)
    monkeypatch.setattr(digits, "_file", lambda: file)
    with pytest.raises(DataError, match=f"{file}: {message}"):
        Digits().load()


def test_without_scikit_learn_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        Digits().load()
