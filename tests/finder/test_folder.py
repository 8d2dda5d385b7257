"""The folder of an answer: one finder at a time, and nothing left where nothing was found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lrsched.checkpoint.lock import RunLock
from lrsched.errors import RunFolderBusy
from lrsched.finder.folder import alone_in
from tests.helpers.cli import TINY


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_holds_nothing_goes_again() -> None:
    with alone_in(Path("outputs/found")):
        assert os.listdir("outputs/found") == [".lock"]
    assert not Path("outputs").exists()
    Path("outputs/other").mkdir(parents=True)
    with pytest.raises(KeyError), alone_in(Path("outputs/found")):
        raise KeyError
    assert os.listdir("outputs") == ["other"]
    Path("outputs/empty").mkdir()
    with alone_in(Path("outputs/empty")):
        pass
    assert Path("outputs/empty").is_dir()  # it was there before


def test_what_holds_something_stays_without_the_lock() -> None:
    with alone_in(Path("outputs/found")):
        Path("outputs/found/find.json").write_text("{}")
    assert os.listdir("outputs/found") == ["find.json"]


def test_another_finder_is_refused_and_takes_nothing_away() -> None:
    folder = Path("outputs/found")
    with alone_in(folder):
        (folder / "run").mkdir()
        with pytest.raises(RunFolderBusy, match=r"outputs/found is in use: process \d+ on "), alone_in(folder):
            pass
        assert sorted(os.listdir(folder)) == [".lock", "run"]
    with alone_in(folder):
        pass
    assert os.listdir(folder) == ["run"]


@pytest.mark.parametrize("method", ["range", "grid"])
@pytest.mark.parametrize("held", ["config.yaml", "sweep.json"])
def test_the_lock_of_a_run_or_a_study_stays(run_cli, method: str, held: str) -> None:
    """It is theirs: who deletes it lets two processes hold "the" lock."""
    folder = Path("outputs/found")
    folder.mkdir(parents=True)
    (folder / held).write_text("{}")
    with RunLock(folder):
        pass
    there = (folder / ".lock").stat().st_ino
    ended = run_cli(*TINY, f"method={method}", "name=found", command="find")
    assert ended.code == 2
    assert "name=found: outputs/found already holds a" in ended.err
    assert sorted(os.listdir(folder)) == sorted([".lock", held])
    assert (folder / ".lock").stat().st_ino == there


@pytest.mark.parametrize("method", ["range", "grid"])
def test_the_command_is_told_who_is_at_it(run_cli, method: str) -> None:
    folder = Path("outputs/found")
    folder.mkdir(parents=True)
    with RunLock(folder):
        ended = run_cli(*TINY, f"method={method}", "name=found", command="find")
    assert ended.code == 5
    assert ended.err.startswith("lrsched: outputs/found is in use: process ")
    assert ended.err.count("\n") == 1
    assert os.listdir(folder) == [".lock"]
