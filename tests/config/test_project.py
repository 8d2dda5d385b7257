"""A pyproject.toml that is broken is said, where it is ours to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lrsched.config.project import own_configs, project
from tests.helpers.cli import TINY, Ended

BROKEN = {
    "table": (b'[tool.lrsched]\ntrust = ["mine"\n', "pyproject.toml: is no TOML, so that its table [tool.lrsched]"),
    "quoted": (b'[tool."lrsched"\n', "pyproject.toml: is no TOML"),
    "inline": (b'[tool]\nlrsched = {trust = ["mine"]\n', "pyproject.toml: is no TOML"),
    "dotted": (b'tool.lrsched.trust = ["mine"] twice\n', "pyproject.toml: is no TOML"),
    "bytes": (b"[tool.lrsched]\nname = \xff\n", "pyproject.toml: cannot be read, and may say which conf/"),
    "trust": (b'[tool.lrsched]\ntrust = "mine"\n', "[tool.lrsched] trust=mine: must be a list of modules; as in"),
    "trusts": (b"[tool.lrsched]\ntrust = [3]\n", "[tool.lrsched] trust=[3]: must be a list of modules; as in"),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("command", ["train", "preview"])
def test_a_broken_one_is_one_message(how: str, command: str, run_cli: Callable[..., Ended], tmp_path: Path) -> None:
    text, message = BROKEN[how]
    (tmp_path / "pyproject.toml").write_bytes(text)
    (tmp_path / "conf").mkdir()
    words = (*TINY, "logger=none", "name=run", "task=classification")
    ended = run_cli(*words, command=command)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize(
    "text", ["", "[tool.other]\nuses = 'hydra-lrsched", "[project\nname = 'x'", "[tool]\nlrsched = 3"]
)
def test_another_file_is_none_of_ours(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "pyproject.toml").write_text(text)
    assert project() is None
    assert own_configs() is None


def test_a_folder_of_the_name_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").mkdir()
    assert project() is None
