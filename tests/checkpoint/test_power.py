"""The power fails: what was acknowledged was synced before, whatever else of it reached the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lrsched.checkpoint.store import Store
from tests.helpers.checkpoint_scripts import SCENES, Scene, nothing_is_lost, prepared
from tests.helpers.lossy_disk import Change, Disk, lay_out


def states_after_power_cuts(scene: Scene, tmp_path: Path, patch: pytest.MonkeyPatch, most: int) -> int:
    """Play a scene, cut the power after each call, and see what is left; returns the number of different states."""
    run = prepared(scene, tmp_path / "played")
    disk = Disk(run)
    with patch.context() as recording:
        disk.record(recording)
        scene.act(Store(run / "checkpoints"), lambda value: disk.changes.append(str(value)))
    seen = set()
    for said, tree in disk.after_a_power_cut(most):
        acknowledged = int(said[-1]) if said else scene.before
        key = (acknowledged, frozenset(tree.items()))
        if key in seen:
            continue
        seen.add(key)
        lay_out(tree, tmp_path / "left")
        nothing_is_lost(Store(tmp_path / "left" / "checkpoints"), acknowledged)
        shutil.rmtree(tmp_path / "left")
    return len(seen)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_a_power_cut_loses_nothing_that_was_acknowledged(scene: Scene, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the disk is played: only the order counts
    assert states_after_power_cuts(scene, tmp_path, monkeypatch, most=1) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_a_power_cut_that_loses_any_three_changes(scene: Scene, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    number = states_after_power_cuts(scene, tmp_path, monkeypatch, most=3)
    print(f"{number} states of the disk")
    assert number >= 5


def test_the_disk_forgets_what_was_not_synced(tmp_path: Path, monkeypatch) -> None:
    """By hand: a file is made, written and renamed over another, and nothing of it is synced."""
    (tmp_path / "a").write_bytes(b"old")
    disk = Disk(tmp_path)
    with monkeypatch.context() as recording:
        disk.record(recording)
        descriptor = os.open(tmp_path / "b", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"new")
        os.replace(tmp_path / "b", tmp_path / "a")
        os.close(descriptor)
    assert [bool(change.names) for change in disk.changes if isinstance(change, Change)] == [True, False, True]
    trees = [tree for _, tree in disk.after_a_power_cut(most=3)]
    states = {(tree.get("a"), tree.get("b")) for tree in trees}
    assert states == {
        (b"old", None),  # nothing reached the disk
        (b"old", b""),
        (b"old", b"\0\0\0"),
        (b"old", b"new"),
        (b"", None),  # the trap: the new name, without the new content
        (b"\0\0\0", None),
        (b"new", None),
    }


def test_the_disk_keeps_what_was_synced(tmp_path: Path, monkeypatch) -> None:
    disk = Disk(tmp_path)
    with monkeypatch.context() as recording:
        disk.record(recording)
        descriptor = os.open(tmp_path / "b", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"new")
        os.fsync(descriptor)
        os.close(descriptor)
        folder = os.open(tmp_path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        disk.changes.append("done")
    assert [tree for said, tree in disk.after_a_power_cut(most=3) if said] == [{"": None, "b": b"new"}] * 2
