"""Arrays of one's own: what they become, and what is refused."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrsched.data import Images, Npz
from lrsched.data.data import Data
from lrsched.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2], dtype=np.int32)
PIXELS = RNG.integers(0, 256, (6, 3, 4, 5), dtype=np.uint8)
Load = Callable[..., Data]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a file ``a.npz`` in the current folder, of the given arrays or bytes."""
    monkeypatch.chdir(tmp_path)

    def loading(arrays: dict[str, Any] | bytes, **arguments: Any) -> Data:
        if isinstance(arrays, bytes):
            Path("a.npz").write_bytes(arrays)
        else:
            np.savez("a.npz", **arrays)
        return Npz(**{"path": "a.npz", **arguments}).load()

    return loading


def forms(data: Data) -> list[tuple[str, list[int]]]:
    assert isinstance(data.train, tuple)
    return [(str(column.dtype).removeprefix("torch."), list(column.shape)) for column in data.train]


def test_inputs_and_labels(load: Load) -> None:
    data = load({"x": X, "y": Y})
    assert torch.equal(data.train[0], torch.from_numpy(X).float())
    assert (data.train[1].tolist(), data.facts["classes"]) == (Y.tolist(), 3)
    assert (data.standardise, data.strata is not None, data.test) == (True, True, None)


@pytest.mark.parametrize(
    ("arrays", "arguments", "wanted"),
    [
        ({"x": X, "y": X[:, 0]}, {}, [("float32", [6, 3]), ("float32", [6])]),
        ({"x": X, "y": X > 0}, {}, [("float32", [6, 3]), ("int64", [6, 3])]),
        ({"x": X > 0, "y": Y}, {}, [("float32", [6, 3]), ("int64", [6])]),
        ({"x": PIXELS, "y": PIXELS[:, 0]}, {}, [("uint8", [6, 3, 4, 5]), ("int64", [6, 4, 5])]),
        ({"x": PIXELS, "y": X[:, 0]}, {}, [("uint8", [6, 3, 4, 5]), ("float32", [6])]),
        ({"a": X, "b": Y}, {"x": "a", "y": "b"}, [("float32", [6, 3]), ("int64", [6])]),
        ({"x": X, "y": X, "w": Y}, {"weight": "w"}, [("float32", [6, 3]), ("float32", [6, 3]), ("float32", [6])]),
        ({"x": Y}, {"y": None}, [("int64", [6])]),
    ],
)
def test_forms(load: Load, arrays: dict[str, Any], arguments: dict[str, Any], wanted: Any) -> None:
    data = load(arrays, **arguments)
    assert forms(data) == wanted
    assert not isinstance(data, Images)


def test_pixels_with_labels_are_images(load: Load) -> None:
    data = load({"x": PIXELS, "y": Y, "tx": PIXELS[:2], "ty": Y[:2] + 2}, test_x="tx", test_y="ty")
    assert isinstance(data, Images)
    assert (data.facts["classes"], forms(data)) == (4, [("uint8", [6, 3, 4, 5]), ("int64", [6])])
    assert data.test is not None
    assert len(data.test[0]) == 2


def test_whole_numbers_alone_are_tokens(load: Load) -> None:
    data = load({"x": np.array([[3, 1, 2], [7, 0, 1]], dtype=np.uint16)}, y=None)
    assert (data.facts["vocabulary"], data.facts["context"], data.standardise) == (8, 2, False)


def test_a_test_part_of_ones_own(load: Load) -> None:
    arrays = {"x": X, "y": Y, "tx": X[:2], "ty": Y[:2], "w": Y + 1, "tw": Y[:2] + 1, "g": Y}
    names = {"test_x": "tx", "test_y": "ty", "weight": "w", "test_weight": "tw", "group": "g"}
    data = load(arrays, **names)
    assert data.test is not None
    assert [len(column) for column in data.test] == [2, 2, 2]
    assert data.groups is not None
    assert data.groups.tolist() == Y.tolist()


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("canary"),)


def cut(arrays: dict[str, Any], at: float) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()[: int(len(stream.getvalue()) * at)]


def damaged(arrays: dict[str, Any]) -> bytes:
    whole = bytearray(cut(arrays, 1))
    start = whole.index(b"x.npy") + 60
    whole[start : start + 40] = bytes(40)
    return bytes(whole)


def alone(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


NAN = np.where(np.arange(18).reshape(6, 3) == 7, np.nan, X)
BAD: list[tuple[Any, dict[str, Any], str]] = [
    ({"x": np.array([Hostile()] * 6, dtype=object), "y": Y}, {}, "a.npz: the array 'x' holds Python objects, which"),
    (pickle.dumps(Hostile()), {}, "a.npz: is not a whole file of numpy.savez ("),
    ({"x": X}, {}, "y=y: a.npz has no such array; known are: x"),
    ({"inputs": X, "y": Y}, {"x": "input"}, "x=input: a.npz has no such array; did you mean 'inputs'?"),
    ({"x": X, "y": Y[:5]}, {}, "a.npz: train: the columns differ in their number of samples: 6 of x, 5 of y"),
    (b"", {}, "a.npz: is not a whole file of numpy.savez ("),
    (b"x,y\n1,2\n", {}, "a.npz: is not a whole file of numpy.savez ("),
    (alone(X), {}, "a.npz: holds one array without a name; write it by numpy.savez(file, x=…, y=…)"),
    (cut({"x": X, "y": Y}, 0.6), {}, "a.npz: is not a whole file of numpy.savez ("),
    (damaged({"x": np.zeros((600, 3)), "y": Y}), {}, "a.npz: the array 'x' cannot be read ("),
    ({"x": NAN, "y": Y}, {}, "a.npz: train x: sample 2 (from 0) holds nan; every value must be finite"),
    ({"x": X, "y": NAN[:, 1]}, {}, "a.npz: train y: sample 2 (from 0) holds nan"),
    ({"x": X[:0], "y": Y[:0]}, {}, "a.npz: train x: holds no number: float32 [0, 3]"),
    ({"x": PIXELS[:0], "y": Y[:0]}, {}, "a.npz: y: holds no label"),
    ({"x": np.array(["a"] * 6), "y": Y}, {}, "a.npz: x: holds text (numpy <U1), not numbers"),
    ({"x": X + 1j, "y": Y}, {}, "a.npz: x: holds complex numbers"),
    ({"x": 3.0, "y": Y}, {}, "a.npz: x: is a single number"),
    ({"x": X * 1e39, "y": Y}, {}, "a.npz: x: sample 0 (from 0) holds "),
    ({"x": PIXELS.transpose(0, 2, 3, 1)[:, :, :, :3].repeat(2, 1), "y": Y}, {}, "a.npz: x: images are [N, C, H, W], "),
    ({"x": PIXELS, "y": Y - 1}, {}, "a.npz: train labels: lie in [-1, 1], but must lie in [0, 2)"),
    ({"x": PIXELS, "y": Y}, {"standardise": False}, "standardise=false: images are standardised by channel"),
    ({"x": Y - 1}, {"y": None}, "a.npz: x: whole numbers without a target are tokens, counted from 0"),
    ({"x": X, "y": Y, "w": -Y}, {"weight": "w"}, "a.npz: weight: sample 1 (from 0) weighs -1.0"),
    ({"x": X, "y": Y, "g": X[:, 0]}, {"group": "g"}, "a.npz: groups: must be whole numbers [6]"),
    (
        {"x": X, "y": Y, "t": X[:, :2]},
        {"test_x": "t", "test_y": "y"},
        "a.npz: x: float32 [6, 3] in train and float32 [",
    ),
    ({"x": X, "y": Y}, {"test_x": "x"}, "test_y=null: goes with dataset.y: both parts have one, or none has"),
    ({"x": X, "y": Y}, {"test_y": "y"}, "test_y=y: wants dataset.test_x beside it"),
    ({"x": X, "y": Y}, {"y": None, "weight": "y"}, "weight=y: weighs losses of targets"),
    ({"x": X, "y": Y}, {"path": "b.npz"}, "dataset.path=b.npz: there is no file "),
]


@pytest.mark.parametrize(("arrays", "arguments", "message"), BAD, ids=[message for *_, message in BAD])
def test_what_cannot_be_used_is_said(load: Load, arrays: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as error:
        load(arrays, **arguments)
    assert str(error.value).startswith(message)
    assert not Path("canary").exists()
