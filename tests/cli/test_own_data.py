"""Data of one's own on the command line: trained on, or refused in one message with nothing left behind."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.cli import Ended

QUIET = ("trainer.steps=1", "trainer.progress=false", "logger=none", "name=run")
TABLE = ("dataset=table", "dataset.path=t.csv", "dataset.target=y")
NPZ = ("dataset=npz", "dataset.path=a.npz")
TEXT = ("dataset=text", "dataset.path=t.txt")
ROWS = "a,b,y\n" + "".join(f"{n},{'uv'[n % 2]},{['no', 'yes'][n // 2 % 2]}\n" for n in range(40))


BAD: list[tuple[tuple[str, ...], str, str]] = [
    (TABLE, "", "t.csv: is empty; the first line names the columns"),
    (TABLE, "a,y\n", "t.csv: holds a header and no row"),
    (TABLE, "a,y\n1,2,3\n", "t.csv, line 2: has 3 cells, and the header 2"),
    (TABLE, "a,y\n1,2\n,3\n", "t.csv, line 3, column 'a': the cell is missing; mend it, or have it filled in by datas"),
    (TABLE, "a,y\n1,2\ninf,3\n", "t.csv, line 3, column 'a': inf is not finite"),
    (TABLE, "a,Y\n1,2\n2,3\n", "dataset.target=y: t.csv has no such column; known are: Y, a"),
    (TABLE, "a,a,y\n1,2,3\n", "t.csv: two columns are called 'a'"),
    (TABLE, "a,y\n\0,2\n", "t.csv, line 2: holds a NUL character"),
    (TABLE, "a,y\n1,2\n", "t.csv: holds one row"),
    (TABLE, "a,y\n1,2\n2,2\n", "t.csv: the target 'y' is 2 in every row"),
    (TABLE, "a,y\n1,1\n2,2\nx,3\n", "t.csv, line 4, column 'a': 'x' is no number"),
    (
        TABLE,
        "a,y\n" + "1,0\n2,1\n" * 10,
        "train y: labels must be whole numbers, one for each sample: [20], not float32",
    ),
    ((*TABLE, "dataset.kind=class"), "a,y\n0,2\n" + "1,0\n2,1\n" * 9, "dataset.test=0.2: leaves no sample of class 2"),
    ((*TABLE, "dataset.path=u.csv"), ROWS, "dataset.path=u.csv: there is no file "),
    ((*TABLE, "dataset.kind=words"), ROWS, "dataset.kind=words: "),
    ((*TABLE, "dataset.missing=most"), ROWS, "dataset.missing=most: "),
    ((*TABLE, "dataset.drop=[c]"), ROWS, "dataset.drop=c: t.csv has no such column"),
    ((*TABLE, "dataset.augment.crop=1"), ROWS, "dataset.augment"),
    (("dataset=table", "dataset.path=t.csv"), ROWS, "dataset.target: has no value"),
    (TEXT, "", "t.txt: 0 bytes are no window of dataset.context=128"),
    (TEXT, "short", "t.txt: 5 bytes are no window of dataset.context=128"),
    ((*TEXT, "dataset.context=0"), "text", "dataset.context=0: must be at least 1"),
    ((*TEXT, "dataset.stride=0"), "text", "dataset.stride=0: must be at least 1"),
    ((*TEXT, "dataset.context=1.5"), "text", "dataset.context=1.5: "),
    ((*TEXT, "dataset.path=."), "text", "dataset.path=.: is a folder"),
    ((*TEXT, "dataset.path=[t.txt,u.txt]"), "text", "dataset.path=u.txt: there is no file "),
    ((*TEXT, "dataset.path='*.md'"), "text", "dataset.path=*.md: no file has such a name"),
    ((*TEXT, "dataset.context=2"), "text!", "dataset.test=0.2: holds out 0 of 2 samples"),
    ((*TEXT, "dataset.context=4", "dataset.fold=0"), "text" * 20, "dataset.fold=0: these samples stay in order"),
]

X, Y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
ARRAYS: list[tuple[dict[str, object], str]] = [
    ({"x": X}, "dataset.y=y: a.npz has no such array; known are: x"),
    ({"x": X, "y": Y[1:]}, "a.npz: train: the columns differ in their number of samples: 20 of x, 19 of y"),
    ({"x": X * np.nan, "y": Y}, "a.npz: train x: sample 0 (from 0) holds nan"),
    ({"x": X[:0], "y": Y[:0]}, "a.npz: train x: holds no number"),
    ({"x": X.astype(str), "y": Y}, "a.npz: x: holds text"),
    ({"x": X * 1j, "y": Y}, "a.npz: x: holds complex numbers"),
    ({"x": np.array([{}] * 20), "y": Y}, "a.npz: the array 'x' holds Python objects"),
    ({"x": X, "y": Y * 0}, "train y: all samples are of one class"),
    ({"x": X, "y": Y - 1}, "train y: sample 0 (from 0) has the label -1"),
]


def assert_one_message(ended: Ended, words: str) -> None:
    assert ended.code == 2, ended.out + ended.err
    assert ended.err.startswith(f"lrsched: {words}"), ended.err
    assert ended.err[:-1].isprintable(), ended.err  # one line
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize(("overrides", "content", "message"), BAD, ids=[message for *_, message in BAD])
def test_a_table_or_text_that_cannot_be_used(
    run_cli, tmp_path: Path, overrides: tuple[str, ...], content: str, message: str
) -> None:
    for name in ("t.csv", "t.txt"):
        (tmp_path / name).write_text(content, "utf-8")
    assert_one_message(run_cli(*overrides, *QUIET), message)


@pytest.mark.parametrize(("arrays", "message"), ARRAYS, ids=[message for _, message in ARRAYS])
def test_arrays_that_cannot_be_used(run_cli, tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    assert_one_message(run_cli(*NPZ, *QUIET), message)


@pytest.mark.parametrize(
    ("overrides", "remedy"),
    [
        (TABLE, "such data are for task=regression"),
        ((*TABLE, "task=binary"), "such data are for task=regression"),
        ((*TABLE, "task=regression", "model=cnn"), "for such data and such a task give model=mlp"),
        ((*TABLE, "task=regression", "model=gpt"), "for such data and such a task give model=mlp"),
        (TEXT, "such data are for task=language_model model=gpt"),
        ((*TEXT, "task=language_model"), "for such data and such a task give model=gpt"),
        (NPZ, "such data are for task=binary"),
        ((*NPZ, "dataset.y=masks"), "such data are for task=segmentation model=unet"),
        ((*NPZ, "dataset.y=masks", "task=segmentation", "model=cnn"), "for such data and such a task give model=unet"),
        ((*NPZ, "dataset.y=kinds", "task=segmentation", "model=unet"), "such data are for task=classification"),
        ((*NPZ, "dataset.y=kinds", "model=unet"), "for such data and such a task give model=cnn"),
        ((*NPZ, "dataset.y=kinds", "task=language_model"), "such data are for task=classification"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else "",
)
def test_what_the_data_are_for_is_said(run_cli, tmp_path: Path, overrides: tuple[str, ...], remedy: str) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{n},{n / 3}\n" for n in range(40)), "utf-8")
    (tmp_path / "t.txt").write_text("a text to read " * 200, "utf-8")
    draw = np.random.default_rng(0)
    x, bits = draw.integers(0, 256, (60, 1, 8, 8)).astype(np.float32), draw.integers(0, 2, (60, 8, 8))
    np.savez(tmp_path / "a.npz", x=x, y=bits[:, 0, :3], masks=bits, kinds=np.arange(60) % 3)
    ended = run_cli(*overrides, *QUIET)
    assert_one_message(ended, "")
    assert ended.err.endswith(f"; {remedy}\n"), ended.err


@pytest.mark.parametrize(
    ("word", "command", "message"),
    [
        ("model.layers=100000000", "train", "makes a model of more than 60 layers; give a smaller number"),
        ("model.layers=100000000", "preview", "makes a model of more than 60 layers; give a smaller number"),
        ("model.width=100000000", "train", "makes weights and gradients of "),
        ("model.width=1000000000000", "train", "makes it need more memory than there is; give a smaller number"),
    ],
)
def test_a_model_beyond_all_memory(run_cli, tmp_path: Path, monkeypatch, word: str, command: str, message: str) -> None:
    from lrsched.assembly import memory

    monkeypatch.setattr(memory, "MODULES", 60)
    (tmp_path / "t.txt").write_text("a text to read " * 200, "utf-8")
    words = (*TEXT, "model=gpt", "task=language_model", "optimizer.layer_decay=0.9")
    ended = run_cli(*words, *(QUIET if command == "train" else QUIET[:1]), word, command=command)
    assert_one_message(ended, f"{word}: {message}")
    if command == "train":
        assert run_cli(*words, *QUIET, "model.width=4").code == 0


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", pickle.dumps({"x": 1}), b"PK\x03\x04 and no more"])
def test_a_file_that_holds_no_arrays(run_cli, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    assert_one_message(run_cli(*NPZ, *QUIET), "a.npz: is not a whole file of numpy.savez (")


def test_arrays_that_are_not_there(run_cli) -> None:
    assert_one_message(run_cli(*NPZ, *QUIET), "dataset.path=a.npz: there is no file ")


def test_images_of_ones_own_train(run_cli, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(60) % 3)
    ended = run_cli(*NPZ, *QUIET)
    assert ended.code == 0, ended.err


MODEL = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, features, classes):
        super().__init__(nn.Linear(features, classes))
"""


@pytest.mark.parametrize(
    "overrides",
    [
        ("dataset.fold=1", "dataset.missing=mean"),
        ("dataset.group=g", "dataset.weight=w"),
        ("dataset.order=last", "dataset.test_path=t.csv", "dataset.categories=[g]", "dataset.drop=[w]"),
    ],
    ids=" ".join,
)
def test_a_table_trains(run_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]) -> None:
    rows = [
        f"{'' if n == 7 and 'dataset.missing=mean' in overrides else n},{'uv'[n % 2]},g{n // 4},{n % 3},"
        f"{['no', 'yes'][n // 2 % 2]}\n"
        for n in range(48)
    ]
    (tmp_path / "t.csv").write_text("a,b,g,w,y\n" + "".join(rows), "utf-8")
    (tmp_path / "own_net.py").write_text(MODEL, "utf-8")
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "net.yaml").write_text("_target_: own_net.Net\n", "utf-8")
    monkeypatch.setenv("LRSCHED_TRUST", "own_net")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_net", raising=False)
    ended = run_cli("--config-dir=mine", "model=net", *TABLE, *overrides, *QUIET)
    assert ended.code == 0, ended.err
    result = json.loads((tmp_path / "outputs" / "run" / "result.json").read_text("utf-8"))
    assert {"test/loss", "test/accuracy"} <= set(str(result).replace("'", " ").split())


def test_rows_of_one_1_are_told_to_name_the_class(run_cli) -> None:
    np.savez("a.npz", x=X, y=np.eye(3, dtype=np.int64)[np.arange(20) % 3])
    ended = run_cli(*NPZ, *QUIET)
    assert_one_message(ended, "train y: labels must be whole numbers, one for each sample")
    remedy = "where one number of a target is 1 and the others 0, give its place, the class: y.argmax(1)"
    assert ended.err.endswith(f"; {remedy}\n")
