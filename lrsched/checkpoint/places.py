"""Where checkpoints lie in their folder: what is found there, and how one comes and goes without losing another."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrsched.checkpoint.manifest import read_manifest, read_plain
from lrsched.errors import CheckpointError
from lrsched.records import sync_folder

STATE, BEST, MANIFEST = "state.pt", "best.pt", "manifest.json"
_PLACE = re.compile(r"step-(\d{10}|[1-9]\d{10,})|\.step-(\d{10}|[1-9]\d{10,})\.old")
_LARGEST = 64 * 2**30  # bytes
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EFBIG)


@dataclass(frozen=True)
class Checkpoint:
    """A committed checkpoint; ``manifest`` holds schema, step, parent, bytes, sha256 and what the run adds.

    Where the manifest is damaged, ``damaged`` says how, and it holds nothing.
    """

    path: Path
    step: int
    manifest: Mapping[str, Any]
    damaged: str = ""

    @property
    def aside(self) -> bool:
        """Whether it was moved aside for another one of its step, which was not committed before a crash."""
        return self.path.name.startswith(".")


def place(folder: Path, step: int) -> Path:
    """The place of a step's checkpoint."""
    return folder / f"step-{step:010d}"


def aside(path: Path) -> Path:
    """Where the checkpoint of a place waits until another one is committed there."""
    return path.with_name(f".{path.name}.old")


def places(folder: Path) -> list[tuple[int, Path]]:
    """Steps and places of all checkpoints, whole or not, newest first; those set aside behind those in place.

    Raises:
        OSError: the folder cannot be read.
    """
    if not is_there(folder):
        return []
    found = []
    for name in os.listdir(folder):
        match = _PLACE.fullmatch(name)
        if match:
            found.append((int(match[1] or match[2]), folder / name))
    return sorted(found, key=lambda entry: (-entry[0], entry[1].name.startswith(".")))


def survey(folder: Path) -> list[Checkpoint]:
    """Every checkpoint that was committed, newest first by step (never by a clock), damaged ones among them."""
    found = []
    for step, path in places(folder):
        if path.is_symlink() or not path.is_dir():
            found.append(Checkpoint(path, step, {}, f"{path}: is no folder of checkpoints"))
            continue
        try:
            manifest = read_manifest(path / MANIFEST, step)
        except CheckpointError as error:
            found.append(Checkpoint(path, step, {}, str(error)))
            continue
        if manifest is not None:
            found.append(Checkpoint(path, step, manifest))
    return found


def verified(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The bytes of a checkpoint's files by their names, which are those that were committed.

    Raises:
        CheckpointError: they are not.
    """
    if checkpoint.damaged:
        raise CheckpointError(checkpoint.damaged)
    return {name: _verified(checkpoint.path / name, entries) for name, entries in files(checkpoint.manifest).items()}


def files(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The files of a checkpoint, each with the entries that hold its size and hash."""
    return {STATE: manifest, **({BEST: manifest["best"]} if "best" in manifest else {})}


def _verified(path: Path, entries: Mapping[str, Any]) -> bytes:
    try:
        content = read_plain(path, _LARGEST)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    if len(content) != entries["bytes"]:
        raise CheckpointError(f"{path}: has {len(content)} bytes, the manifest says {entries['bytes']}")
    if hashlib.sha256(content).hexdigest() != entries["sha256"]:
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not the manifest's")
    return content


def make_room(path: Path) -> None:
    """Free a place: a checkpoint that is there is set aside, what was never committed is deleted."""
    if is_there(aside(path)):
        settle(path)
    if is_there(path / MANIFEST):
        os.replace(path, aside(path))
    else:
        delete(path)


def put_back(path: Path) -> None:
    """Give a place back to the checkpoint that was set aside there, if one was."""
    delete(path)
    if is_there(aside(path)):
        os.replace(aside(path), path)
        sync_folder(path.parent)


def settle(path: Path) -> list[Path]:
    """Decide what a crash left open at a place: the newer checkpoint if it is whole, else the one set aside.

    Returns:
        What was removed.
    """
    waiting = aside(path)
    if not is_there(waiting):
        if is_there(path / MANIFEST) or not path.is_dir() or path.is_symlink():
            return []
        delete(path)
        return [path]
    if not _is_whole(path):
        put_back(path)
        return []
    for name in path.iterdir():  # whole to a reader, which is not yet durable
        with open(name, "rb") as file:
            os.fsync(file.fileno())
    sync_folder(path)
    sync_folder(path.parent)
    delete(waiting)
    return [waiting]


def delete(path: Path) -> None:
    """Delete what is at a place, the commit mark first: a half-deleted checkpoint must not look whole."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        mark = path / MANIFEST
        if mark.is_symlink() or mark.is_file():
            mark.unlink()
        shutil.rmtree(path)


def is_there(path: Path) -> bool:
    """Whether something lies there. Who deletes by this must know: a failing disk is no absence.

    Raises:
        OSError: the file system cannot tell.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _is_whole(path: Path) -> bool:
    """Whether the checkpoint at a place is the one that was committed there.

    Raises:
        OSError: it cannot be read now, which does not say that it is damaged.
    """
    step = int(path.name.removeprefix("step-"))
    try:
        manifest = read_manifest(path / MANIFEST, step)
        return manifest is not None and bool(verified(Checkpoint(path, step, manifest)))
    except CheckpointError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno not in _NO_FILE:
            raise cause from None
        return False
