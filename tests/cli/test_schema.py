"""``lrsched schema``: the schemas of a folder of one's own, with its choices and its classes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.json_schema import OURS, complaints, read_yaml

pytest.importorskip("jsonschema", reason="no jsonschema: it comes with the extra `test`")

MODULE = """\
from torch import nn

class Net(nn.Module):
    '''A net.

    Args:
        width: of what is hidden.
    '''

    def __init__(self, features, classes, width: int = 8, kind: str = "a"):
        super().__init__()
        self.layer = nn.Linear(features, classes)
"""


@pytest.fixture
def conf(run_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of configs whose classes are in a module that is trusted; ``run_cli`` is beside it."""
    here = Path.cwd()
    (here / "my_net_of_schema.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.setenv("LRSCHED_TRUST", "my_net_of_schema")
    for name, text in {
        "model/net.yaml": "_target_: my_net_of_schema.Net\nkind: b  # which\n",
        "experiment/mine.yaml": "# @package _global_\ndefaults:\n  - override /model: net\nmodel:\n  width: 3\n",
        "notes/free.yaml": "anything: goes\n",
    }.items():
        (here / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "conf" / name).write_text(text)
    return here / "conf"


def test_it_knows_the_classes_and_the_choices_of_a_folder(conf: Path, run_cli) -> None:
    ended = run_cli(command="schema")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == "conf/.schemas: 12 schemas for 2 files"
    folder = conf / ".schemas"
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in OURS.iterdir())
    net = json.loads((folder / "model.json").read_text("utf-8"))["definitions"]["my_net_of_schema.Net"]
    assert net["properties"]["width"]["description"] == "of what is hidden."
    assert net["properties"]["kind"] | {"errorMessage": ""} == {
        "description": "which",
        "type": "string",
        "errorMessage": "",
        "default": "b",
    }
    wrong = "defaults:\n  - override /model: net\nmodel:\n  wide: 3\n"
    assert complaints(read_yaml(wrong), "config.json", folder)
    for path in ("model/net", "experiment/mine"):
        values = read_yaml((conf / f"{path}.yaml").read_text())
        assert complaints(values, f"{'model' if path[0] == 'm' else 'config'}.json", folder) == []


@pytest.mark.slow
def test_lines_are_added_once_and_where_they_are_asked_for(conf: Path, run_cli) -> None:
    before = {path: path.read_text() for path in conf.rglob("*.yaml")}
    said = run_cli("conf", command="schema").out
    assert said.splitlines()[1] == "2 files of them name none yet: lrsched schema conf --lines adds the line"
    assert {path: path.read_text() for path in before} == before
    assert run_cli("conf", "--lines", command="schema").code == 0
    after = {path: path.read_text() for path in before}
    assert after[conf / "notes/free.yaml"] == before[conf / "notes/free.yaml"]
    line = "# yaml-language-server: $schema=../.schemas/model.json\n"
    assert after[conf / "model/net.yaml"] == line + before[conf / "model/net.yaml"]
    assert run_cli("conf", "--lines", command="schema").out.splitlines() == [
        "conf/.schemas: 12 schemas for 2 files",
        "left alone, as no config of lrsched: 1 YAML file",
    ]
    assert {path: path.read_text() for path in before} == after
    assert run_cli("experiment=mine", "--config-dir", "conf", "dataset=digits", command="preview").code == 0


@pytest.mark.slow
def test_a_class_that_is_not_trusted_is_said_and_its_keys_are_free(conf: Path, run_cli, monkeypatch) -> None:
    monkeypatch.delenv("LRSCHED_TRUST")
    ended = run_cli("conf", command="schema")
    assert ended.code == 0
    assert "model._target_=my_net_of_schema.Net: is not an allowed model" in ended.err
    assert "LRSCHED_TRUST; its keys are not checked" in ended.err
    assert complaints({"_target_": "my_net_of_schema.Net", "any": 1}, "model.json", conf / ".schemas") == []


def test_lines_leave_alone_what_is_not_ours(conf: Path, run_cli) -> None:
    here = conf.parent
    outside = here / "elsewhere.yaml"
    alone = {
        outside: "_target_: my_net_of_schema.Net\n",
        here / "docker-compose.yaml": "services: {}\n",
        here / ".pre-commit-config.yaml": "repos: []\n",
        here / ".github/workflows/ci.yaml": "on: push\n",
    }
    for place, text in alone.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (conf / "model/linked.yaml").symlink_to(outside)
    (conf / "model/net.yaml").chmod(0o600)
    (conf / "experiment/mine.yaml").chmod(0o664)
    ended = run_cli("conf", "--lines", command="schema")
    assert ended.out.splitlines() == [
        "conf/.schemas: 12 schemas for 3 files",
        "left alone, as a link to another file: conf/model/linked.yaml",
        "left alone, as no config of lrsched: 1 YAML file",
    ]
    assert stat.S_IMODE((conf / "model/net.yaml").stat().st_mode) == 0o600
    assert stat.S_IMODE((conf / "experiment/mine.yaml").stat().st_mode) == 0o664
    assert "$schema=" in (conf / "model/net.yaml").read_text()
    assert (conf / "model/linked.yaml").is_symlink()
    ended = run_cli(".", "--lines", command="schema")  # of a whole repository
    assert ended.out.splitlines()[0] == ".schemas: 12 schemas for 1 file"
    assert ended.out.splitlines()[1] == "left alone, as no config of lrsched: 7 YAML files"
    assert {place: place.read_text() for place in alone} == alone


def _write(path: str, content: bytes | None) -> Callable[[], object]:
    def act() -> None:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir() if content is None else place.write_bytes(content)

    return act


BAD: list[tuple[str, Callable[[], object], tuple[str, ...], str]] = [
    (
        "no conf here",
        lambda: os.rename("conf", "elsewhere"),
        (),
        "FOLDER: there is no folder conf here; name the folder",
    ),
    ("no such folder", lambda: None, ("nowhere",), "FOLDER=nowhere: is no folder; name the folder"),
    ("a file", lambda: None, ("conf/model/net.yaml",), "FOLDER=conf/model/net.yaml: is no folder"),
    ("empty", _write("none", None), ("none",), "FOLDER=none: holds no YAML file of a config group"),
    ("two", lambda: None, ("conf", "conf"), "schema: unrecognized arguments: conf; lrsched schema --help shows"),
    ("a flag", lambda: None, ("--line",), "schema: unrecognized arguments: --line"),
    (
        "no YAML",
        _write("conf/model/a.yaml", b"a: [1\n"),
        (),
        "conf/model/a.yaml: is no YAML: line 2, column 1; mend it",
    ),
    ("not UTF-8", _write("conf/model/a.yaml", b"a: \xff\n"), (), "conf/model/a.yaml: is not UTF-8; save it as UTF-8"),
    (
        "no int",
        _write("conf/model/a.yaml", b'_target_: my_net_of_schema.Net\nwidth: !!int "x"\n'),
        (),
        "conf/model/a.yaml: has a value that is no int: line 2, column 8; mend it",
    ),
    (
        "no list of defaults",
        _write("conf/model/a.yaml", b"defaults: 5\n"),
        ("conf", "--lines"),
        "conf/model/a.yaml: defaults=5 must be a list; write each in a line of its own, as - cosine",
    ),
    (
        "its own default",
        lambda: [
            _write(f"conf/model/{name}.yaml", f"defaults: [{of}]\n".encode())() for name, of in ("ab", "bc", "ca")
        ],
        ("conf", "--lines"),
        "conf/model/a.yaml: its defaults lead back to itself: a, b, c, a; take one of them out",
    ),
    (
        "deep",
        _write("conf/model/a.yaml", b"a: " + b"[" * 500 + b"]" * 500),
        (),
        "conf/model/a.yaml: is nested deeper than 40; mend it",
    ),
    (
        "a pipe",
        lambda: os.mkfifo("conf/model/a.yaml"),
        ("conf", "--lines"),
        "conf/model/a.yaml: is no regular file; move it away",
    ),
    (
        "a link to nothing",
        lambda: os.symlink("nothing", "conf/model/a.yaml"),
        (),
        "conf/model/a.yaml: is no regular file; move it away",
    ),
    (
        "schemas are a link",
        lambda: os.symlink("elsewhere", "conf/.schemas"),
        (),
        "conf/.schemas: is a link, and what it leads to would be written over; remove it",
    ),
    ("hides ours", _write("conf/model/mlp.yaml", b"a: 1\n"), (), "lrsched has model/mlp itself"),
    (
        "a file in the way",
        _write("conf/.schemas", b""),
        (),
        "conf/.schemas cannot be written: File exists (conf/.schemas)",
    ),
    ("pyproject", _write("pyproject.toml", b"[tool.lrsched]\ntrust = 3\n"), (), "trust=3: must be a list of modules"),
]


@pytest.mark.parametrize(("prepare", "words", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_done_is_one_message(conf: Path, run_cli, prepare: Any, words: Any, message: str) -> None:
    prepare()
    before = sorted(Path().rglob("*"))
    ended = run_cli(*words, command="schema")
    assert ended.code == (6 if "cannot be" in message else 2), ended.err
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
