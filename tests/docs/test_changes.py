"""docs/changes.md names every key and choice that was added, moved or written otherwise since 0.1.0."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
import yaml

from lrsched.compose.nodes import plain
from lrsched.config.versions import LATER, MOVED, SPELT
from lrsched.config.walk import leaves
from lrsched.python.words import config_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "changes.md").read_text("utf-8")


def named(key: str) -> bool:
    """Whether the page has a key, whole or by its last word in a row that begins with its neighbour."""
    group, _, last = key.replace("*", "NAME").rpartition(".")
    rows = [line for line in PAGE.splitlines() if f"`{group}." in line or f"`{key}`" in line]
    return any(re.search(rf"`({re.escape(group)}\.)?{re.escape(last)}[`:,]", line) for line in rows)


def test_a_key_is_found_in_its_row_alone() -> None:
    assert named("dataset.augment.mixup")
    assert named("optimizer.groups.*.freeze")
    assert not named("trainer.mixup")
    assert not named("dataset.augment.blur")


@pytest.mark.parametrize("keys", [LATER, MOVED, SPELT], ids=["later", "moved", "spelt"])
def test_what_versions_know_is_named(keys: dict[str, object]) -> None:
    assert [key for key in keys if key != "average" and not named(key)] == []
    assert "`average`, a group" in PAGE


def test_what_a_config_of_0_1_0_has_not_is_named() -> None:
    """Those keys, too, that change no result, and are in no list of versions."""
    with tarfile.open(ROOT / "tests" / "fixtures" / "0_1_0.tar.gz") as archive:
        stored = archive.extractfile("outputs/finished/config.yaml")
        assert stored is not None
        before = {key for key, _ in leaves(yaml.safe_load(stored))}
    words = ["dataset=synthetic", "logger=none", "name=x"]
    now = {key for key, _ in leaves(plain(config_of(words, {}, None))) if not key.startswith(("task.", "model."))}
    assert [key for key in sorted(now - before) if not named(key)] == []


def test_every_choice_of_a_new_group_is_named() -> None:
    for group in ("task", "average"):
        choices = {path.stem for path in (ROOT / "conf" / group).glob("[!_]*.yaml")} - {"none"}
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{group}` | `")]
        assert choices <= set(re.findall(r"`(\w+)`", row))
