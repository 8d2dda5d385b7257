"""Every YAML of a schedule says what its class takes, with the same defaults, and teaches."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

import lrsched.schedules

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "scheduler"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.yaml")) if "lrsched.schedules." in path.read_text("utf-8")}
every_file = pytest.mark.parametrize("name", FILES)
MARK = "# What every schedule takes."


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def test_every_schedule_has_a_file() -> None:
    assert {name.replace("_", "") for name in FILES} == {name.lower() for name in dir(lrsched.schedules)}


@every_file
def test_it_lists_exactly_the_parameters_and_defaults(name: str) -> None:
    node = yaml.safe_load(FILES[name].read_text("utf-8"))
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
    assert lines[0].startswith("# ")
    assert lines[0][-1] in ".:"
    own, _, shared = "\n".join(lines).partition(MARK)
    assert "http" in own  # where it comes from
    assert max(map(len, lines)) <= 120
    for line in lines[lines.index(f"_target_: lrsched.schedules.{_target(name)}") + 1 :]:
        assert not line or "#" in line or line.startswith("points:") or "  _target_: " in line, line
    # The shared part is the same everywhere, but for Noam, whose warm-up is a part of the formula.
    expected = FILES["cosine"].read_text("utf-8").partition(MARK)[2].rstrip("\n").splitlines()
    if name == "noam":
        expected = [line for line in expected if not line.startswith("warmup: ")]
    assert shared.splitlines() == expected


def _target(name: str) -> str:
    return yaml.safe_load(FILES[name].read_text("utf-8"))["_target_"].rpartition(".")[2]
