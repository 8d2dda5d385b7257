"""A checkpoint is whole or not there, the newest are kept, and what was left over is swept."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from lrsched.checkpoint.manifest import sealed, written
from lrsched.checkpoint.places import STATE, aside
from lrsched.checkpoint.store import Store
from tests.checkpoint.conftest import is_state, state

CONFIG = "c0ffee00" * 8


def test_what_was_saved_is_found_newest_first_by_step(store: Store) -> None:
    for step in (9, 10, 2):
        store.save(step, state(step), {"config_sha256": CONFIG, "fingerprint": {"threads": 1}})
    checkpoint, loaded, complaints = store.newest()
    assert checkpoint.path.name == "step-0000000010"
    assert is_state(loaded, 10)
    assert [c.step for c in store.committed()] == [10, 9, 2]
    assert complaints == []


def test_the_manifest_says_what_the_bytes_are_and_what_came_before(store: Store) -> None:
    content = (store.save(3, state(3), {}) / STATE).read_bytes()
    manifests = [json.loads((store.save(step, state(step), {}) / "manifest.json").read_text()) for step in (5, 9)]
    again = Store(store.folder)
    again.newest()
    manifests.append(json.loads((again.save(11, state(11), {"config_sha256": CONFIG}) / "manifest.json").read_text()))
    first = store.committed()[-1].manifest
    assert first["bytes"] == len(content)
    assert first["sha256"] == hashlib.sha256(content).hexdigest()
    assert [first["parent"], *(manifest["parent"] for manifest in manifests)] == [None, 3, 5, 9]
    assert manifests[-1]["config_sha256"] == CONFIG


def test_the_seal_is_the_hash_of_the_other_entries_in_order() -> None:
    assert sealed({"b": 1, "a": [None]})["manifest_sha256"] == hashlib.sha256(b'{"a":[null],"b":1}').hexdigest()


def test_checkpoints_are_for_their_owner_alone(store: Store) -> None:
    path = store.save(1, state(1), {})
    assert {(path / name).stat().st_mode & 0o777 for name in ("state.pt", "manifest.json")} == {0o600}


def test_the_newest_is_chosen_by_its_step_whatever_the_clock_says(store: Store) -> None:
    for step in (1, 2, 3):
        path = store.save(step, state(step), {})
        for file in (path / STATE, path / "manifest.json", path):
            os.utime(file, (2_000_000_000 - step, 2_000_000_000 - step))
    assert store.newest()[0].step == 3


def test_equal_states_give_equal_bytes(store: Store) -> None:
    a, b = store.save(1, state(5), {}), store.save(2, state(5), {})
    assert (a / "state.pt").read_bytes() == (b / "state.pt").read_bytes()


# Pruning


def test_pruning_keeps_the_newest_and_the_spared(store: Store) -> None:
    for step in range(6):
        store.save(step, state(step), {})
    store.prune(2, spare=[1])
    assert [c.step for c in store.committed()] == [5, 4, 1]
    assert sorted(path.name for path in store.folder.iterdir()) == [f"step-{step:010d}" for step in (1, 4, 5)]


def test_pruning_never_deletes_what_was_just_written_for_one_that_is_damaged(store: Store) -> None:
    for step in (4, 8):
        path = store.save(step, state(step), {})
    (path / STATE).write_bytes(b"damaged")
    again = Store(store.folder)
    assert again.newest()[0].step == 4
    again.save(6, state(6), {})  # on its way to 8 once more
    again.prune(1)
    checkpoint, loaded, complaints = again.newest()
    assert (checkpoint.step, complaints) == (6, [])
    assert is_state(loaded, 6)


def test_what_cannot_be_deleted_is_warned_of_and_tried_again(store: Store, monkeypatch, heard) -> None:
    for step in (1, 2, 3):
        store.save(step, state(step), {})
    logging.getLogger("lrsched").propagate = True
    with monkeypatch.context() as patch:

        def refuse(path: Any, *_: Any, **__: Any) -> None:
            raise OSError(5, "Input/output error", str(path))

        patch.setattr(os, "rmdir", refuse)
        with heard.at_level(logging.WARNING, "lrsched"):
            store.prune(1)
    assert [c.step for c in store.committed()] == [3]  # the marks are gone, the folders are not
    assert "step-0000000001 cannot be deleted: Input/output error" in heard.text
    assert len(list(store.folder.iterdir())) == 3
    store.save(4, state(4), {})
    store.prune(1)
    assert [path.name for path in store.folder.iterdir()] == ["step-0000000004"]


# The same step again


def test_a_step_that_is_saved_again_has_its_newer_state(store: Store) -> None:
    store.save(1, state(1), {})
    store.save(1, state(7), {"config_sha256": CONFIG})
    checkpoint, loaded, _ = store.newest()
    assert is_state(loaded, 7)
    assert (checkpoint.step, checkpoint.manifest["config_sha256"]) == (1, CONFIG)
    assert [path.name for path in store.folder.iterdir()] == ["step-0000000001"]


@pytest.mark.parametrize("left", ["nothing", "a state", "a damaged whole"])
def test_while_it_is_saved_again_the_older_one_stands_in(store: Store, left: str) -> None:
    path = store.save(1, state(1), {})
    whole = path.with_name("whole")
    shutil.copytree(path, whole)
    os.replace(path, aside(path))  # here it was killed, or a little later:
    if left != "nothing":
        path.mkdir()
        (path / STATE).write_bytes(b"half")
    if left == "a damaged whole":
        shutil.copy(whole / "manifest.json", path)
    shutil.rmtree(whole)
    for _ in range(2):
        checkpoint, loaded, complaints = store.newest()
        assert is_state(loaded, 1)
        assert len(complaints) == (left == "a damaged whole" and checkpoint.aside)
        store.tidy()
    assert [found.name for found in store.folder.iterdir()] == ["step-0000000001"]


def test_when_the_newer_one_is_committed_the_older_one_goes(store: Store) -> None:
    path = store.save(1, state(1), {})
    os.replace(path, aside(path))
    Store(store.folder).save(2, state(2), {})
    os.replace(store.folder / "step-0000000002", path)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_bytes(written({**manifest, "step": 1}))
    assert store.tidy() == [aside(path)]
    assert is_state(store.newest()[1], 2)


# Sweeping


def test_what_a_killed_process_left_is_swept_and_nothing_else(store: Store) -> None:
    path = store.save(1, state(1), {})
    never = store.folder / "step-0000000002"
    never.mkdir()
    (never / STATE).write_bytes(b"never committed")
    run = store.folder.parent
    stale = [folder / ".x.json.4711-0a.tmp" for folder in (run, store.folder, path)]
    kept = [run / "config.yaml", run / ".lock", run / "tmp", store.folder / "notes.tmp", store.folder / "step-2"]
    for file in (*stale, *kept):
        file.write_text("x")
    (run / ".folder.tmp").mkdir()
    damaged = store.save(3, state(3), {})
    (damaged / "manifest.json").write_text("{")
    assert set(store.tidy()) == {*stale, never}
    assert all(file.exists() for file in (*kept, path, damaged, run / ".folder.tmp"))
    assert store.tidy() == []
    assert store.newest()[0].step == 1


def test_sweeping_leaves_the_folder_alone(store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".mine.tmp").write_text("x")
    store.folder.mkdir()
    (store.folder / "step-0000000007").symlink_to(elsewhere)
    (tmp_path / ".link.tmp").symlink_to(elsewhere / ".mine.tmp")
    assert store.tidy() == [tmp_path / ".link.tmp"]
    assert (elsewhere / ".mine.tmp").exists()


def test_nothing_to_sweep(store: Store) -> None:
    assert store.tidy() == []
    assert not store.folder.exists()


def test_a_temporary_file_of_a_process_of_the_same_number_is_in_nobodys_way(store: Store) -> None:
    """In a container a program often has the number that it had before it was killed."""
    path = store.folder / "step-0000000001"
    path.mkdir(parents=True)
    for name in ("state.pt", "manifest.json"):
        (path / f".{name}.{os.getpid()}.tmp").write_bytes(b"stale")
    store.save(1, state(1), {})
    assert is_state(store.newest()[1], 1)
