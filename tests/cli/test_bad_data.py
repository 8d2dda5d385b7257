"""A data set that cannot be used: exit code 2, one paragraph that names the file or the class, nothing left (G11)."""

from __future__ import annotations

import gzip
import pickle
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lrsched.data import idx
from tests.helpers.cli import Ended

TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = idx.NAMES
QUIET = ("model.hidden=[8]", "trainer.steps=1", "trainer.progress=false", "logger=none", "name=run")
MNIST = ("dataset=mnist", "dataset.root=data", "dataset.train_samples=300", "dataset.test_samples=100", *QUIET)

SOURCES = """
from dataclasses import dataclass, fields
import io, numpy as np, torch
from pathlib import Path
from lrsched.data.arrays import Arrays, Source

X, Y = torch.zeros(120, 1, 8, 8, dtype=torch.uint8), torch.arange(120) % 4
X[::2] = 200
WAYS = {
    "good": lambda: Arrays(X, Y, None, None, 4),
    "shape": lambda: Arrays(X.flatten(1), Y, None, None, 4),
    "floats": lambda: Arrays(X * float("nan"), Y, None, None, 4),
    "int32": lambda: Arrays(X, Y.int(), None, None, 4),
    "numpy": lambda: Arrays(X.numpy(), Y, None, None, 4),
    "beyond": lambda: Arrays(X, Y + 1, None, None, 4),
    "negative": lambda: Arrays(X, Y - 1, None, None, 4),
    "one_class": lambda: Arrays(X, Y * 0, None, None, 4),
    "empty": lambda: Arrays(X[:0], Y[:0], None, None, 4),
    "lengths": lambda: Arrays(X, Y[:-1], None, None, 4),
    "no_class": lambda: Arrays(X, Y, None, None, 0),
    "half_test": lambda: Arrays(X, Y, X, None, 4),
    "test_shape": lambda: Arrays(X, Y, X[:, :, :4], Y, 4),
    "rare": lambda: Arrays(X[:9], torch.tensor([0] * 8 + [1]), None, None, 2),
    "a_tuple": lambda: (X, Y),
    "nothing": lambda: None,
    "value_error": lambda: int("two\\nlines"),
    "os_error": lambda: open("nowhere/images.bin"),
    "truncated": lambda: dict(np.load(io.BytesIO(Path("half.npz").read_bytes()))),
    "objects": lambda: np.load("objects.npy"),
    "memory": lambda: torch.empty(10**15),
}

@dataclass(frozen=True, kw_only=True)
class Mine(Source):
    way: str

    def load(self):
        return WAYS[self.way]()
"""
CLASS = "dataset=bad_sources.Mine: "
WAYS = [
    ("shape", CLASS + "train images: must be uint8 [N, C, H, W], not uint8 [120, 64]"),
    ("floats", CLASS + "train images: must be uint8 [N, C, H, W], not float32 [120, 1, 8, 8]"),
    ("int32", CLASS + "train labels: must be int64 [N], not int32 [120]"),
    ("numpy", CLASS + "train images: must be a torch.Tensor, not a ndarray"),
    ("beyond", CLASS + "train labels: lie in [1, 4], but must lie in [0, 4)"),
    ("negative", CLASS + "train labels: lie in [-1, 2], but must lie in [0, 4)"),
    ("one_class", CLASS + "train labels: all samples are of one class"),
    ("empty", CLASS + "train images: there is no pixel in uint8 [0, 1, 8, 8]"),
    ("lengths", CLASS + "train part: 120 images but 119 labels"),
    ("no_class", CLASS + "classes: must be a whole number of at least 2, not 0"),
    ("half_test", CLASS + "test part: images and labels come together or not at all"),
    ("test_shape", CLASS + "train images are (1, 8, 8) and test images (1, 4, 8)"),
    ("rare", "dataset.test=0.2: leaves no sample of class 1 in the held-out part: it has 1 of 9"),
    ("a_tuple", CLASS + "its load() must return lrsched.data.Data, not tuple"),
    ("nothing", CLASS + "its load() must return lrsched.data.Data, not NoneType"),
    ("value_error", CLASS + "its load() raised ValueError: invalid literal for int() with base 10: 'two\\nlines'"),
    ("os_error", "No such file or directory: 'nowhere/images.bin'"),
    ("truncated", CLASS + "its load() raised BadZipFile"),
    ("objects", CLASS + "its load() raised ValueError: Object arrays cannot be loaded when allow_pickle=False"),
    ("memory", "dataset=bad_sources.Mine: makes it need more memory than there is"),
]


def images(n: int) -> bytes:
    return bytes([0, 0, 8, 3]) + struct.pack(">III", n, 28, 28) + bytes(i % 251 for i in range(n * 784))


def labels(n: int, of: int = 10) -> bytes:
    return bytes([0, 0, 8, 1]) + struct.pack(">I", n) + bytes(i % of for i in range(n))


def write(folder: Path, changes: dict[str, bytes | None]) -> None:
    """A small MNIST in ``folder``, with the changes; a content of None makes a folder in place of the file."""
    whole = {TRAIN_X: images(300), TRAIN_Y: labels(300), TEST_X: images(100), TEST_Y: labels(100)}
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in {**whole, **changes}.items():
        if content is None:
            (raw / name).mkdir()
        else:
            (raw / name).write_bytes(content)
    for name in changes:
        if name.endswith(".gz"):
            (raw / name.removesuffix(".gz")).unlink()


DAMAGED: list[tuple[dict[str, bytes | None], str]] = [
    ({TRAIN_X: b""}, f"data/MNIST/raw/{TRAIN_X}: is not an IDX file of unsigned bytes (it starts with nothing)"),
    ({TRAIN_X: images(300)[:9]}, f"{TRAIN_X}: is not an IDX file"),
    ({TRAIN_X: images(300)[:-1]}, f"{TRAIN_X}: holds 235199 values, but its header says 300x28x28 = 235200"),
    ({TRAIN_Y: labels(300) + b"!"}, f"{TRAIN_Y}: holds 301 values, but its header says 300 = 300"),
    ({TEST_X: b"\x00\x00\x0d\x03" + images(100)[4:]}, f"{TEST_X}: is not an IDX file of unsigned bytes"),
    ({TRAIN_Y: labels(300, of=11)}, "data/MNIST/raw: train labels: lie in [0, 10], but must lie in [0, 10)"),
    ({TRAIN_Y: labels(299)}, "data/MNIST/raw: train part: 300 images but 299 labels"),
    ({TRAIN_X: images(0), TRAIN_Y: labels(0)}, f"{TRAIN_X}: is empty"),
    ({TRAIN_Y: labels(300, of=1)}, "data/MNIST/raw: train labels: all samples are of one class"),
    ({f"{TRAIN_X}.gz": gzip.compress(images(300), mtime=0)[:-9]}, f"{TRAIN_X}.gz: cannot be read"),
    ({f"{TRAIN_X}.gz": b"no gzip"}, f"{TRAIN_X}.gz: cannot be read"),
    ({TRAIN_X: labels(300)}, "must hold images of 3 dimensions and labels of 1"),
    ({TRAIN_X: images(290), TRAIN_Y: labels(290)}, "dataset.train_samples=300: the data set that was loaded has 290"),
]


def assert_one_message(ended: Ended, words: str) -> None:
    assert ended.code == 2, ended.out + ended.err
    assert ended.err.startswith("lrsched: ")
    assert ended.err[:-1].isprintable(), ended.err  # one line
    assert words in ended.err
    assert not (ended.cwd / "outputs").exists()


def test_the_data_sets_below_are_good_but_for_what_is_changed(run_cli, mine: Callable[[str], Ended], tmp_path) -> None:
    write(tmp_path, {})
    ended = run_cli(*MNIST)
    assert ended.code == 0, ended.err
    ended = mine("good")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(("changes", "message"), DAMAGED, ids=[message for _, message in DAMAGED])
def test_damaged_files_are_named(run_cli, tmp_path: Path, changes: dict[str, bytes | None], message: str) -> None:
    write(tmp_path, changes)
    assert_one_message(run_cli(*MNIST), message)


@pytest.mark.parametrize("root", ["nowhere", "file", "data"])
@pytest.mark.alone
def test_what_is_not_there_is_named_in_seconds_without_a_network(
    run_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")  # nobody listens there
    (tmp_path / "file").write_text("in the way")
    write(tmp_path, {})
    there = tmp_path / "data" / "MNIST" / "raw" / TEST_Y
    there.unlink()
    there.mkdir()  # a folder in place of a file
    began = time.monotonic()
    ended = run_cli(*MNIST, f"dataset.root={root}", "name=again")
    assert time.monotonic() - began < 5
    assert_one_message(ended, f"MNIST: not found, or not intact, in {root}/MNIST/raw: ")
    assert not (tmp_path / "nowhere").exists()
    assert not list((tmp_path / "data").glob(".*"))  # nor a part of a download


def test_a_hostile_pickle_in_place_of_cifar_is_not_read(run_cli, tmp_path: Path, monkeypatch) -> None:
    """Its files are pickles: torchvision compares their sums first, and what is not CIFAR is not opened."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "canary",)

    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Hostile()))
    assert_one_message(run_cli("dataset=cifar10", "dataset.root=data", *QUIET), "CIFAR10: not found, or not intact, in")
    assert not (tmp_path / "canary").exists()


def test_files_that_may_not_be_read_are_named(run_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {})
    read_bytes = Path.read_bytes

    def refuse(self: Path) -> bytes:  # a mode of 0 would stop everybody but root
        if self.name == TRAIN_Y:
            raise PermissionError(13, "Permission denied", str(self))
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert_one_message(run_cli(*MNIST), f"data/MNIST/raw/{TRAIN_Y}: cannot be read ([Errno 13] Permission denied")


@pytest.fixture
def mine(run_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Ended]:
    """A run on what a class of the user's own loads in the given way."""
    import numpy as np

    (tmp_path / "bad_sources.py").write_text(SOURCES)
    (tmp_path / "mine" / "dataset").mkdir(parents=True)
    (tmp_path / "mine" / "dataset" / "mine.yaml").write_text("_target_: bad_sources.Mine\nway: ???\nbatch_size: 16\n")
    np.savez(tmp_path / "whole.npz", x=np.zeros(1000))
    (tmp_path / "half.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:500])
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    monkeypatch.setenv("LRSCHED_TRUST", "bad_sources")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bad_sources", raising=False)
    return lambda way: run_cli("--config-dir=mine", "dataset=mine", f"dataset.way={way}", *QUIET, "name=mine")


@pytest.mark.parametrize(("way", "message"), WAYS, ids=[way for way, _ in WAYS])
def test_what_a_source_of_ones_own_does_wrong_is_said(mine: Callable[[str], Ended], way: str, message: str) -> None:
    assert_one_message(mine(way), message)


def test_there_are_as_many_as_promised() -> None:
    assert len(DAMAGED) + len(WAYS) >= 20
