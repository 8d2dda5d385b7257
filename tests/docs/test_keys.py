"""docs/reference/config.md is what ``python docs/keys.py`` writes, and holds every key."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def keys() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        return importlib.import_module("keys")


def test_the_page_is_up_to_date(keys: ModuleType) -> None:
    assert keys.PAGE.read_text("utf-8") == keys.page(), "run: python docs/keys.py"


def test_a_key_stands_with_its_default_its_rule_and_its_meaning(keys: ModuleType) -> None:
    wanted = (
        "| `trainer.steps` | `null` | a whole number or null, at least 1 | optimizer updates; if set, epochs has no"
    )
    assert wanted in keys.page()


def test_what_each_value_means_has_a_line_of_its_own(keys: ModuleType) -> None:
    (row,) = [line for line in keys.page().splitlines() if line.startswith("| `trainer.on_extend` |")]
    assert "another length<br>keep: as planned, then its last value<br>stretch: the schedule of" in row


def test_every_choice_of_a_group_has_its_section(keys: ModuleType) -> None:
    page = keys.page()
    files = [path for group in keys.GROUPS for path in (ROOT / "conf" / group).rglob("[!_]*.yaml")]
    assert len(files) > 40
    names = [f"### {path.relative_to(ROOT / 'conf').with_suffix('').as_posix().replace('/', '=', 1)}" for path in files]
    assert [name for name in names if f"{name}\n" not in page] == []
