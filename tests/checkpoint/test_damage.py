"""Checkpoints that are damaged, foreign, or no checkpoints: each is said, and none is loaded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.checkpoint.manifest import written
from lrsched.checkpoint.places import STATE
from lrsched.checkpoint.store import Store, load
from lrsched.errors import CheckpointError, StorageError
from tests.checkpoint.conftest import is_state, state

CONFIG = "c0ffee00" * 8


def test_without_its_manifest_a_checkpoint_was_never_committed_and_is_not_spoken_of(store: Store) -> None:
    store.save(1, state(1), {})
    (store.save(2, state(2), {}) / "manifest.json").unlink()
    checkpoint, _, complaints = store.newest()
    assert (checkpoint.step, complaints) == (1, [])


def broken(**entries: Any) -> bytes:
    manifest = {"schema": 2, "step": 2, "parent": 1, "bytes": 9, "sha256": "a" * 64, **entries}
    return written({name: value for name, value in manifest.items() if value != "absent"})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is no JSON"),
        (b"{", "it is no JSON"),
        (b'{"schema": NaN}', "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[]", "it is no mapping"),
        (b" " * 2_000_000, "more than 1048576"),
        (broken(schema="absent"), "its schema is not a whole number"),
        (broken(schema=True), "its schema"),
        (broken(schema=1), "schema 1 is not 2: written by another version"),
        (broken(step="2"), "its step is not a whole number"),
        (broken(step=2.0), "its step is not a whole number"),
        (broken(step=True), "its step is not a whole number"),
        (broken(step="absent"), "its step is not"),
        (broken(step=3), "manifest of step 3"),
        (broken(parent=-1), "its parent is not"),
        (broken(parent="absent"), "its parent is not"),
        (broken(bytes=-1), "its bytes is not a whole number"),
        (broken(bytes=None), "its bytes is not a whole number"),
        (broken(sha256="A" * 64), "its sha256 is not 64 hexadecimal digits"),
        (broken(sha256=["a"] * 64), "its sha256 is not"),
        (broken(config_sha256="c"), "its config_sha256 is not"),
        (broken(fingerprint=[1]), "its fingerprint is not a mapping"),
        (broken(config_sha256=CONFIG).replace(b"c0ffee", b"decafe"), "its SHA-256 is not that of its entries"),
        (broken(fingerprint={"threads": 1}).replace(b'"threads": 1', b'"threads": 3'), "its SHA-256 is not"),
    ],
)
def test_a_damaged_manifest_is_said_and_the_older_one_is_taken(store: Store, content: bytes, complaint: str) -> None:
    store.save(1, state(1), {})
    path = store.save(2, state(2), {}) / "manifest.json"
    path.write_bytes(content)
    checkpoint, loaded, complaints = store.newest()
    assert checkpoint.step == 1
    assert is_state(loaded, 1)
    assert len(complaints) == 1
    assert complaints[0].startswith(str(path))
    with pytest.raises(CheckpointError, match=complaint):
        load(store.found()[0])


def test_when_every_one_is_damaged_all_of_it_is_said(store: Store) -> None:
    (store.save(1, state(1), {}) / "manifest.json").write_text("{")
    (store.save(2, state(2), {}) / STATE).unlink()
    (store.save(3, state(3), {}) / STATE).write_bytes(b"")
    with pytest.raises(CheckpointError, match="no valid checkpoint") as error:
        store.newest()
    assert "has 0 bytes, the manifest says" in str(error.value)
    assert "0002/state.pt: No such file" in str(error.value)
    assert "0001/manifest.json: damaged" in str(error.value)


def test_none_at_all(store: Store) -> None:
    with pytest.raises(CheckpointError, match=r"no valid checkpoint in .*checkpoints: there is none"):
        store.newest()


def in_the_way(path: Path, kind: str, tmp_path: Path) -> None:
    """Put something else where a file or folder is expected."""
    moved = tmp_path / f"moved-{path.name}"
    os.replace(path, moved)
    if kind == "symlink":
        path.symlink_to(moved)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("x")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("state.pt", kind) for kind in ("symlink", "folder", "pipe")),
        *(("manifest.json", kind) for kind in ("symlink", "folder", "pipe")),
        *((".", kind) for kind in ("symlink", "file", "pipe")),
    ],
)
def test_what_is_no_plain_file_or_folder_is_not_followed(store: Store, tmp_path: Path, name: str, kind: str) -> None:
    store.save(1, state(1), {})
    path = store.save(2, state(2), {}) / name
    in_the_way(path, kind, tmp_path)
    checkpoint, _, complaints = store.newest()
    assert (checkpoint.step, len(complaints)) == (1, 1)
    assert "step-0000000002" in complaints[0]


def test_a_file_that_grows_while_it_is_read(store: Store, monkeypatch) -> None:
    path = store.save(1, state(1), {}) / STATE
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        about = real(descriptor)
        with open(path, "ab") as file:
            file.write(b"more")
        return about

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(CheckpointError, match="changes while it is read"):
        store.newest()


def test_swapped_manifests_and_those_of_another_run(store: Store, tmp_path: Path) -> None:
    for step in (1, 2, 3):
        store.save(step, state(step), {})
    other = Store(tmp_path / "other").save(3, state(4), {})
    one, two = (store.folder / f"step-000000000{step}" / "manifest.json" for step in (1, 2))
    shutil.copy(other / "manifest.json", store.folder / "step-0000000003" / "manifest.json")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    with pytest.raises(CheckpointError) as error:
        store.newest()
    assert "0003/state.pt: damaged, its SHA-256 is not the manifest's" in str(error.value)
    assert "0002/manifest.json: it is the manifest of step 1" in str(error.value)
    assert "0001/manifest.json: it is the manifest of step 2" in str(error.value)


def test_a_file_larger_than_any_checkpoint_is_not_read(store: Store) -> None:
    path = store.save(1, state(1), {})
    os.truncate(path / STATE, 65 * 2**30)  # a hole: takes no room on the disk
    with pytest.raises(CheckpointError, match="more than"):
        store.newest()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot be written: .*file"):
        Store(tmp_path / "file").save(1, state(1), {})


def test_what_lies_at_the_place_of_a_checkpoint_is_replaced_and_not_followed(store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    store.folder.mkdir()
    (store.folder / "step-0000000001").symlink_to(elsewhere)
    (store.folder / "step-0000000002").write_text("x")
    for step in (1, 2):
        store.save(step, state(step), {})
    assert not any(elsewhere.iterdir())
    assert is_state(store.newest()[1], 2)
    assert torch.equal(load(store.committed()[1])["model"]["w"], torch.full((3, 4), 1.0))
