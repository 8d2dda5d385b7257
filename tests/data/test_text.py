"""A text of one's own: its windows, its parts, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrsched.data import Text
from lrsched.data.data import Data
from lrsched.data.split import split
from lrsched.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(content: bytes, **arguments: Any) -> Data:
    Path("t.txt").write_bytes(content)
    return Text(path="t.txt", **arguments).load()


def windows(data: Data) -> list[bytes]:
    return [bytes(row) for row in data.train[0].tolist()]


def test_windows_by_hand() -> None:
    """Ten bytes, windows of 3 + 1: at 0, 3, 6; the stride of 2 gives one at 0, 2, 4, 6."""
    data = load(b"abcdefghij", context=3)
    assert windows(data) == [b"abcd", b"defg", b"ghij"]
    assert windows(load(b"abcdefghij", context=3, stride=2)) == [b"abcd", b"cdef", b"efgh", b"ghij"]
    assert windows(load(b"abcdefghi", context=3, stride=5)) == [b"abcd", b"fghi"]
    assert data.train[0].dtype == torch.uint8
    assert dict(data.facts) == {"vocabulary": 256, "context": 3, "input_shape": (3,), "features": 3}
    assert (data.order, data.standardise) == ("last", False)


@pytest.mark.parametrize(("bytes_", "context", "stride"), [(100, 7, 3), (64, 8, None), (9, 8, 1), (50, 4, 9)])
def test_their_number_is_the_formula(bytes_: int, context: int, stride: int | None) -> None:
    data = load(bytes(range(bytes_)), context=context, stride=stride)
    assert data.samples == (bytes_ - context - 1) // (stride or context) + 1


def test_windows_share_the_memory_of_the_text() -> None:
    tokens = load(bytes(1000), context=50, stride=1).train[0]
    assert tokens.shape == (950, 51)
    assert tokens.untyped_storage().nbytes() == 1000
    parts = split(load(bytes(1000), context=50, stride=1), validation=0.1, test=0.2, seed=0)
    for part in (parts.train, parts.validation, parts.test):
        assert part[0].untyped_storage().nbytes() == 1000


@pytest.mark.parametrize(("context", "stride"), [(8, 8), (8, 3), (8, 1), (8, 4), (8, 11), (1, 1)])
def test_no_target_of_a_held_out_window_is_trained_on(context: int, stride: int) -> None:
    text = np.arange(250, dtype=np.uint8)
    parts = split(load(text.tobytes(), context=context, stride=stride), validation=0.2, test=0.2, seed=0)
    targets = [set(part[0][:, 1:].flatten().tolist()) for part in (parts.train, parts.validation, parts.test)]
    assert max(targets[0]) < min(targets[1])
    assert max(targets[1]) < min(targets[2])
    if stride <= context:  # and no more is left out than need be
        first = [int(part[0][0, 1]) for part in (parts.validation, parts.test)]
        assert first[0] - max(targets[0]) <= stride
        assert first[1] - max(targets[1]) <= stride


def test_several_files_are_one_text(folder: Path) -> None:
    (folder / "books").mkdir()
    for name, content in (("b.txt", b"defg"), ("a.txt", b"abc"), ("c.md", b"hij")):
        (folder / "books" / name).write_bytes(content)
    assert windows(Text(path="books/*.txt", context=6).load()) == [b"abcdefg"]
    assert windows(Text(path=("books/b.txt", "books/a.txt"), context=6).load()) == [b"defgabc"]
    assert windows(Text(path=("books/*.txt", "books/c.md"), context=9).load()) == [b"abcdefghij"]


def test_a_name_with_signs_of_a_pattern_is_a_name(folder: Path) -> None:
    (folder / "a[1].txt").write_bytes(b"abcd")
    assert windows(Text(path="a[1].txt", context=3).load()) == [b"abcd"]


def test_any_bytes_are_taken() -> None:
    assert windows(load(b"\x00\xff\xfe\n", context=3)) == [b"\x00\xff\xfe\n"]


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (b"", {}, "t.txt: 0 bytes are no window of dataset.context=128 and the byte after it; give a longer text or a "),
    (bytes(128), {}, "t.txt: 128 bytes are no window of dataset.context=128"),
    (b"abc", {"path": ("t.txt", "t.txt"), "context": 6}, "2 files from t.txt: 6 bytes are no window of"),
    (b"abc", {"path": "."}, "dataset.path=.: is a folder; "),
    (b"abc", {"path": "u.txt"}, "dataset.path=u.txt: there is no file "),
    (b"abc", {"path": "*.md"}, "dataset.path=*.md: no file has such a name in "),
    (b"abc", {"path": ("t.txt", "x.txt")}, "dataset.path=x.txt: there is no file "),
    (b"abc", {"path": ()}, "path=: must be the path of a file"),
    (b"abc", {"path": " "}, "path= : must be the path of a file"),
    (b"abc", {"path": 3}, "path=3: must be the path of a file"),
    (b"abc", {"path": "t.txt/x"}, "dataset.path=t.txt/x: there is no file "),
    (b"abc", {"context": 0}, "context=0: must be at least 1"),
    (b"abc", {"stride": 0}, "stride=0: must be at least 1"),
    (b"abc", {"context": 1.5}, "context=1.5: must be a whole number"),
    (b"abc", {"context": None}, "context=null: must be a whole number"),
]


@pytest.mark.parametrize(("content", "arguments", "message"), BAD, ids=[message for *_, message in BAD])
def test_what_cannot_be_used_is_said(content: bytes, arguments: dict[str, Any], message: str) -> None:
    Path("t.txt").write_bytes(content)
    with pytest.raises((ConfigError, DataError)) as error:
        Text(**{"path": "t.txt", **arguments}).load()
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_file_that_cannot_be_read_is_named(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise error

    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(DataError, match=rf"^t.txt: cannot be read \({error.strerror}\)"):
        load(b"abc")


def test_too_few_windows_for_three_parts() -> None:
    with pytest.raises(ConfigError, match=r"^test=0.2: holds out 0 of 2 samples"):
        split(load(b"abcdefg", context=3), validation=0.1, test=0.2, seed=0)
    # 18 windows: 0.2 · 18 = 3.6 → 4 test, a gap of 7 leaves 7
    with pytest.raises(ConfigError, match=r"^validation=0.1: holds out 1 of 7 samples, after a gap of 7; give"):
        split(load(bytes(26), context=8, stride=1), validation=0.1, test=0.2, seed=0)
