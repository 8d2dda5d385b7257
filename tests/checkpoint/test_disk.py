"""The disk refuses: what was committed before is intact, nothing half is left, and the message names file and error.

Real file systems where this process may mount one; else, and for errors that none gives on demand, the call itself
refuses.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.checkpoint.lock import RunLock
from lrsched.checkpoint.store import Store, load
from lrsched.errors import CheckpointError, StorageError
from lrsched.records import Rows, make_folder, sync_folder, write_atomically
from tests.checkpoint.conftest import in_a_child, is_state, state
from tests.helpers.checkpoint_scripts import nothing_is_lost

LARGE = {**state(3), "model": {"w": torch.zeros(500_000)}}
"""A state of 2 MB."""


@pytest.fixture
def two(tmp_path: Path) -> Store:
    """A run folder with checkpoints of steps 1 and 2."""
    store = Store(tmp_path / "run" / "checkpoints")
    for step in (1, 2):
        store.save(step, state(step), {})
    return store


def refused(store: Store, number: int, content: dict[str, Any] | None = None) -> str:
    """A save of step 3 that fails, and leaves what was there; returns the message."""
    with pytest.raises(StorageError) as failure:
        store.save(3, content or state(3), {})
    message = str(failure.value)
    assert f"checkpoint {store.folder}/step-0000000003 cannot be written: {os.strerror(number)} (" in message
    left_alone(store)
    return message


def left_alone(store: Store) -> None:
    found = store.committed()
    assert [checkpoint.step for checkpoint in found] == [2, 1]
    assert all(is_state(load(checkpoint), checkpoint.step) for checkpoint in found)


def nothing_half(store: Store) -> None:
    assert sorted(path.name for path in store.folder.iterdir()) == ["step-0000000001", "step-0000000002"]
    assert list(store.folder.parent.rglob(".*")) == []


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """``mounted(options)`` is a file system in memory, or a skip where it cannot be had."""
    if shutil.which("mount") is None:
        pytest.skip("there is no mount here")
    places: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"this process may not mount: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_the_disk_is_full(mounted) -> None:
    store = Store(mounted("size=1m") / "run" / "checkpoints")
    for step in (1, 2):
        store.save(step, state(step), {})
    assert "state.pt)" in refused(store, errno.ENOSPC, LARGE)
    nothing_half(store)
    store.save(3, state(3), {})  # a smaller one has room again
    assert is_state(store.newest()[1], 3)


def test_there_is_no_room_for_one_more_name(mounted) -> None:
    disk = mounted("size=1m,nr_inodes=12")
    store = Store(disk / "run" / "checkpoints")
    for step in (1, 2):
        store.save(step, state(step), {})
    left = 0
    while True:  # take every name but two: the folder can be made, and the state, and no manifest
        try:
            (disk / f"filler{left}").touch()
        except OSError:
            break
        left += 1
    for i in (left - 1, left - 2):
        (disk / f"filler{i}").unlink()
    assert "manifest.json)" in refused(store, errno.ENOSPC)
    nothing_half(store)


def test_the_disk_became_read_only(mounted) -> None:
    disk = mounted("size=1m")
    store = Store(disk / "run" / "checkpoints")
    for step in (1, 2):
        store.save(step, state(step), {})
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refused(store, errno.EROFS)
    nothing_half(store)
    with pytest.raises(StorageError, match=r"\.lock cannot be locked: Read-only file system"):
        RunLock(disk / "run").acquire()
    assert Store(store.folder).newest()[0].step == 2  # reading is free
    assert store.tidy() == []


def test_a_file_may_not_be_that_large(two: Store) -> None:
    def child() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        assert "state.pt)" in refused(two, errno.EFBIG, LARGE)
        nothing_half(two)

    in_a_child(child)


def refuse(patch: pytest.MonkeyPatch, name: str, number: int, when: int) -> None:
    """Let the call of that number to a function of ``os`` be refused, once."""
    real, calls = getattr(os, name), []

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        if len(calls) == when:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    patch.setattr(os, name, call)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("name", "when", "file"),
    [
        ("open", 1, "state.pt"),
        ("write", 1, "state.pt"),
        ("fsync", 1, "state.pt"),
        ("replace", 1, "state.pt"),
        ("open", 2, "manifest.json"),
        ("write", 2, "manifest.json"),
        ("fsync", 2, "manifest.json"),
        ("replace", 2, "manifest.json"),
        ("fsync", 3, "step-0000000003"),
        ("fsync", 4, "checkpoints"),
        ("mkdir", 1, "step-0000000003"),
    ],
)
def test_any_call_is_refused(two: Store, monkeypatch, name: str, when: int, file: str, number: int) -> None:
    with monkeypatch.context() as patch:
        refuse(patch, name, number, when)
        assert f"{file})" in refused(two, number)
    nothing_half(two)
    two.save(3, state(3), {})
    assert is_state(two.newest()[1], 3)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace", "mkdir"])
def test_any_call_is_refused_while_a_step_is_saved_again(two: Store, monkeypatch, name: str, number: int) -> None:
    for when in range(1, 6):
        with monkeypatch.context() as patch:
            refuse(patch, name, number, when)
            try:
                two.save(2, state(2), {"fingerprint": {"attempt": when}})
            except StorageError:
                left_alone(two)
                nothing_half(two)
            else:
                break
    assert when > 1
    nothing_is_lost(two, 2)


@pytest.mark.parametrize("name", ["unlink", "rmdir", "lstat", "listdir"])
def test_pruning_that_is_refused_does_not_end_the_run(two: Store, monkeypatch, heard, name: str) -> None:
    two.save(3, state(3), {})
    monkeypatch.setattr(logging.getLogger("lrsched"), "propagate", True)
    with monkeypatch.context() as patch, heard.at_level(logging.WARNING, "lrsched"):
        refuse(patch, name, errno.EIO, 1)
        two.prune(1)
    assert "Input/output error" in heard.text
    assert is_state(Store(two.folder).newest()[1], 3)
    two.prune(1)
    assert [path.name for path in two.folder.iterdir()] == ["step-0000000003"]


def test_a_folder_that_cannot_be_synced_is_warned_of_once(two: Store, monkeypatch, heard) -> None:
    """As on some network mounts, where an fsync of a folder is no error of the disk."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(logging.getLogger("lrsched"), "propagate", True)
    with heard.at_level(logging.WARNING, "lrsched"):
        for step in (3, 4):
            two.save(step, state(step), {})
    warned = {record.getMessage() for record in heard.records}  # a record may be caught on two levels
    assert sum("cannot make a folder durable" in message for message in warned) == 1
    assert is_state(two.newest()[1], 4)


def test_a_folder_that_fails_to_sync_is_an_error(tmp_path: Path, monkeypatch) -> None:
    refuse(monkeypatch, "fsync", errno.EIO, 1)
    with pytest.raises(OSError, match="Input/output error") as failure:
        sync_folder(tmp_path)
    assert failure.value.filename == str(tmp_path)


def test_a_new_folder_is_durable_with_all_above_it(tmp_path: Path, monkeypatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("lrsched.records.sync_folder", synced.append)
    make_folder(tmp_path / "outputs" / "run" / "checkpoints")
    assert set(synced) == {tmp_path, tmp_path / "outputs", tmp_path / "outputs" / "run"}
    make_folder(tmp_path / "outputs" / "run")
    assert len(synced) == 3


def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("old")
    for name in ("open", "write", "fsync", "replace"):
        with monkeypatch.context() as patch:
            refuse(patch, name, errno.ENOSPC, 1)
            with pytest.raises(OSError, match="No space left") as failure:
                write_atomically(path, b"new")
        assert failure.value.filename == str(path)
        assert [file.name for file in tmp_path.iterdir()] == ["config.yaml"]
        assert path.read_text() == "old"


def test_rows_that_a_checkpoint_knows_of_are_durable_before_it(tmp_path: Path, monkeypatch) -> None:
    synced: list[int] = []
    rows = Rows(tmp_path / "metrics.jsonl")
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    rows.write({"step": 1})
    assert rows.offset() == len('{"step": 1}\n')
    assert synced == [12]
    rows.close()


def test_rows_that_are_missing_are_not_replaced_by_zeros(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n')
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl has 12 bytes, .* when it had 24"):
        Rows(path, start=24)
    assert path.read_bytes() == b'{"step": 1}\n'
