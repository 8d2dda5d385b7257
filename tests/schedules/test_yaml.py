"""Every YAML of a schedule, with the shared one, says what its class takes, with the same defaults, and teaches."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

import lrsched.schedules
from lrsched.schedules import Schedule

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "scheduler"
FOUND = sorted(FOLDER.glob("[!_]*.yaml"))
EDITORS = "# yaml-language-server: $schema=../.schemas/scheduler.json"
FILES = {path.stem: path for path in FOUND if "lrsched.schedules." in path.read_text("utf-8")}
every_file = pytest.mark.parametrize("name", FILES)
SHARED = FOLDER / "_schedule.yaml"


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def test_every_schedule_has_a_file() -> None:
    assert {name.replace("_", "") for name in FILES} == {name.lower() for name in dir(lrsched.schedules)}


@every_file
def test_it_lists_exactly_the_parameters_and_defaults(name: str) -> None:
    shared, own = (yaml.safe_load(path.read_text("utf-8")) for path in (SHARED, FILES[name]))
    assert own.pop("defaults") == ["_schedule", "_self_"]
    node = shared | own
    package, _, target = node.pop("_target_").rpartition(".")
    cls = getattr(lrsched.schedules, target)
    assert package == "lrsched.schedules"
    assert cls.__module__ == f"lrsched.schedules.{name}"
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    defaults = {key: _lists(f.default) for key, f in fields.items() if f.default is not dataclasses.MISSING}
    assert set(node) == set(fields)
    assert {key: node[key] for key in defaults} == defaults
    if len(defaults) == len(fields):
        assert cls(**node) == cls()


@every_file
def test_it_teaches(name: str) -> None:
    lines = FILES[name].read_text("utf-8").splitlines()
    assert lines[0] == EDITORS
    assert lines[1].startswith("# ")
    assert lines[1][-1] in ".:"
    assert "http" in "\n".join(lines)  # where it comes from
    assert max(map(len, lines)) <= 120
    for line in lines[lines.index(f"_target_: lrsched.schedules.{_target(name)}") + 1 :]:
        assert not line or "#" in line or line.startswith("points:") or "  _target_: " in line, line
    # What every schedule takes is said once, but for Noam, whose warm-up is a part of the formula.
    own, shared = (set(yaml.safe_load(path.read_text("utf-8"))) for path in (FILES[name], SHARED))
    assert own & shared == ({"_target_", "warmup"} if name == "noam" else {"_target_"})


def test_the_shared_file_says_what_every_schedule_takes_and_teaches() -> None:
    text = SHARED.read_text("utf-8")
    assert text.startswith(f"{EDITORS}\n# What every schedule takes.")
    assert set(yaml.safe_load(text)) == {"_target_", *(field.name for field in dataclasses.fields(Schedule))}
    assert all("#" in line for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 120


def _target(name: str) -> str:
    return yaml.safe_load(FILES[name].read_text("utf-8"))["_target_"].rpartition(".")[2]
