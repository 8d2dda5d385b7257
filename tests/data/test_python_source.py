"""The source of Python's library: its windows, its groups, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.data import PythonSource, python_source
from lrsched.data.data import Data
from lrsched.data.python_source import library, source_files
from lrsched.data.split import split
from lrsched.errors import ConfigError, DataError

FILES = {"abc.py": b"abcdefghij", "json/a.py": b"klmnopq", "json/b.py": b"rst", "csv.py": b"tuvwxyz"}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of four files, and of some that are no source of it."""
    others = {"json/tests/c.py": b"0" * 99, "own.py": b"1" * 99, "json/d.txt": b"2" * 99, "test/e.py": b"3" * 99}
    for name, content in {**FILES, **others}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(python_source, "library", lambda: tmp_path)
    return tmp_path


def windows(data: Data) -> list[bytes]:
    return [bytes(row) for row in data.train[0].tolist()]


def hashed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def test_windows_by_hand(small: Path) -> None:
    """Windows of 3 + 1 bytes of each file by itself, the files in the order of the hashes of their names."""
    wanted = {"abc.py": [b"abcd", b"defg", b"ghij"], "json/a.py": [b"klmn", b"nopq"], "csv.py": [b"tuvw", b"wxyz"]}
    order = sorted(wanted, key=hashed)
    data = PythonSource(context=3, megabytes=None).load()
    assert windows(data) == [window for name in order for window in wanted[name]]
    assert data.groups is not None
    assert len(data.groups.unique()) == 3
    assert data.train[0].dtype == torch.uint8
    assert dict(data.facts) == {"vocabulary": 256, "context": 3, "input_shape": (3,), "features": 3}
    assert len(windows(PythonSource(context=3, stride=1, megabytes=None).load())) == 7 + 4 + 4


def test_files_of_a_package_are_one_group(small: Path) -> None:
    data = PythonSource(context=1, megabytes=None).load()
    assert data.groups is not None
    groups = dict(zip(windows(data), data.groups.tolist(), strict=True))
    assert groups[b"kl"] == groups[b"rs"]
    assert len({groups[b"ab"], groups[b"kl"], groups[b"tu"]}) == 3


def test_megabytes_cut_the_last_file_off(small: Path) -> None:
    first, second, third, fourth = sorted(FILES, key=hashed)
    length = sum(len(FILES[name]) for name in (first, second, third)) + 2
    whole, cut = (PythonSource(context=1, megabytes=m).load() for m in (None, length / 1e6))
    assert len(FILES[fourth]) > 2
    assert windows(cut) == windows(whole)[: len(windows(cut))]
    assert len(windows(cut)) == sum(len(FILES[name]) - 1 for name in (first, second, third)) + 1


def test_the_library_of_this_python() -> None:
    files = source_files(library())
    names = [path.as_posix() for path, _ in files]
    assert {"argparse.py", "asyncio/events.py", "json/decoder.py"} <= set(names)
    assert names == sorted(names, key=hashed)
    assert not [name for name in names if "test" in name.split("/") or "site-packages" in name]
    data = PythonSource().load()
    assert data.train[0].shape[1] == 129
    assert 4e6 / 128 - len(files) < data.samples < 4e6 / 128
    parts = split(data, validation=0.03, test=0.1, seed=0)
    assert data.groups is not None
    train, validation, test = (set(data.groups[places].tolist()) for places in parts.places)
    assert not train & validation | train & test | validation & test
    again = PythonSource().load()
    assert torch.equal(again.train[0], data.train[0])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"context": 0}, "context=0: must be a whole number of at least 1"),
    ({"context": 1.5}, "context=1.5: must be a whole number of at least 1"),
    ({"context": True}, "context=true: must be a whole number of at least 1"),
    ({"stride": 0}, "stride=0: must be a whole number of at least 1"),
    ({"megabytes": 0}, "megabytes=0: must be above 0; null takes all files"),
    ({"megabytes": -1.0}, "megabytes=-1.0: must be above 0"),
    ({"megabytes": float("nan")}, "megabytes=nan: must be above 0"),
    ({"context": 7, "megabytes": None}, "context=7: gives windows of 1 modules, and each part needs one of its own"),
    ({"context": 3, "megabytes": 1e-5}, "megabytes=1e-05: gives windows of"),
    ({"megabytes": 1e-7}, "megabytes=1e-07: gives windows of 0 modules"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_used_is_said(small: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        PythonSource(**arguments).load()
    assert str(error.value).startswith(message)


def test_a_python_without_source_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no source of Python's library; this Python comes without it"):
        source_files(tmp_path)


def test_a_file_that_cannot_be_read_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"\.py: cannot be read \(Permission denied\)"):
        PythonSource(context=3).load()
