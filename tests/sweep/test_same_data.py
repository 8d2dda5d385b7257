"""A run that is there already counts as long as its data are those of now: a file may be overwritten in place."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import lrsched
from lrsched.errors import ConfigError
from tests.helpers.cli import Ended

TABLE = (
    "dataset=table",
    "dataset.path=rows.csv",
    "dataset.target=y",
    "task=regression",
    "trainer.steps=2",
    "trainer.progress=false",
    "logger=none",
    "name=same",
)


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(1)


def write(factor: int) -> None:
    """The same table, but for its targets."""
    rows = [f"{number},{factor * (number % 7)}" for number in range(60)]
    Path("rows.csv").write_text("\n".join(["x,y", *rows]) + "\n")


def hashes(name: str = "same") -> set[str]:
    return {json.loads(path.read_text())["data_sha256"] for path in Path("outputs", name).glob("*/result.json")}


def test_a_sweep_refuses_runs_of_what_the_file_held_before(run_cli: Callable[..., Ended]) -> None:
    assert run_cli("-m", *TABLE, "seed=0,1").code == 0
    (before,) = hashes()
    listed = Path("outputs/same/sweep.json").read_bytes()
    write(2)
    for words in (("seed=0,1",), ("seed=1,2",)):
        ended = run_cli("-m", *TABLE, *words)
        assert ended.code == 2, ended.err
        (said,) = [line for line in ended.err.splitlines() if line.startswith("lrsched: ")]
        assert said.startswith("lrsched: name=same: outputs/same already holds runs of other data: outputs/same/")
        assert f"was trained on SHA-256 {before[:12]}…, and they have " in said
        assert said.endswith("now; give another name, or bring the data back")
    assert Path("outputs/same/sweep.json").read_bytes() == listed
    write(1)
    ended = run_cli("-m", *TABLE, "seed=1,2")
    assert ended.code == 0
    assert "2 runs in outputs/same, 1 of them finished before" in ended.err
    Path("rows.csv").unlink()  # what cannot be loaded tells nothing: a sweep that is done stays so
    assert run_cli("-m", *TABLE, "seed=0,1").code == 0


def test_a_run_that_was_cut_short_counts_too(run_cli: Callable[..., Ended]) -> None:
    assert run_cli("-m", *TABLE, "seed=0", "sweep.until=1").code == 0
    (result,) = Path("outputs/same").glob("*/result.json")
    result.unlink()  # as after a kill: its checkpoint tells
    write(2)
    ended = run_cli("-m", *TABLE, "seed=0,1")
    assert ended.code == 2
    assert "already holds runs of other data" in ended.err


@pytest.mark.slow
def test_a_study_refuses_them(run_cli: Callable[..., Ended]) -> None:
    study = ("hydra/sweeper=optuna", "optimizer.lr=interval(0.001,0.1)")
    assert run_cli("-m", *TABLE, *study, "hydra.sweeper.n_trials=2").code == 0
    write(2)
    for trials in (2, 3):
        ended = run_cli("-m", *TABLE, *study, f"hydra.sweeper.n_trials={trials}")
        assert ended.code == 2
        assert "already holds runs of other data" in ended.err
    assert len(hashes()) == 1


GRID = (*TABLE, "method=grid", "find.rates=3", "find.refine=0", "find.seeds=1", "find.budget=100%")


def test_a_finder_refuses_the_answer_of_what_the_file_held_before(run_cli: Callable[..., Ended]) -> None:
    assert run_cli(*GRID, command="find").code == 0
    (before,) = hashes()
    assert json.loads(Path("outputs/same/.find.json").read_text())["data_sha256"] == before
    write(2)
    said = f"already holds runs of other data: the question was asked of SHA-256 {before[:12]}…, and they have"
    for more in ((), ("seed=5",)):  # no run of another seed is there, and yet the folder is of other data
        ended = run_cli(*GRID, *more, command="find")
        assert ended.code == 2, ended.err
        assert said in ended.err
    question = Path("outputs/same/.find.json")
    asked = json.loads(question.read_text())
    del asked["data_sha256"]  # as an older version wrote it: the runs tell
    question.write_text(json.dumps(asked))
    ended = run_cli(*GRID, command="find")
    assert ended.code == 2
    assert f"was trained on SHA-256 {before[:12]}…" in ended.err
    assert hashes() == {before}


def test_a_script_is_told_that_its_objects_are_others() -> None:
    """The reported case: the answer of the first data was given for the second."""
    words = [word for word in GRID if "dataset" not in word and "task" not in word]
    x = [[float(number % 5), 1.0] for number in range(60)]
    first, second = ((x, [[factor * row[0]] for row in x]) for factor in (1.0, 2.0))
    task = lrsched.tasks.Regression()
    found = lrsched.find(words, data=first, task=task)
    with pytest.raises(ConfigError, match="name=same: outputs/same already holds runs of other data: the question"):
        lrsched.find(words, data=second, task=task)
    assert lrsched.find(words, data=first, task=task).content == found.content


def test_data_that_are_never_compared_come_from_the_config_alone() -> None:
    """No path, no root, nothing to be fetched, and no file of Python's own."""
    from lrsched.config import digest

    for name in digest.FIXED:
        parameters = inspect.signature(getattr(lrsched.data, name)).parameters
        assert not {"root", "path", "cache_root", "train", "arrays"} & set(parameters), name
    assert digest.is_fixed({"_target_": "lrsched.data.Digits"})
    for other in ("lrsched.data.Table", "lrsched.data.PythonSource", "my.Digits", "lrsched.given"):
        assert not digest.is_fixed({"_target_": other})
