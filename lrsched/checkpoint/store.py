"""A folder of checkpoints, ``step-0000000468/{state.pt, manifest.json}``.

Writing: the state is serialised to memory and hashed; ``state.pt`` is written beside its place,
synced and renamed; the manifest follows in the same way, *last*: it is the commit mark. Only then are
older checkpoints pruned. A process killed at any moment leaves the last committed checkpoint as it was;
one of the same step waits as ``.step-0000000468.old`` until the new one is committed.

Reading: newest first by the step in the name; the manifest with its seal, the size, the SHA-256, then the
form of the archive are checked before a byte is unpickled, and it is unpickled with ``weights_only=True``,
always. What has no manifest was never committed; what is damaged is said.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsched.checkpoint.archive import packed, unpacked
from lrsched.checkpoint.manifest import SCHEMA, written
from lrsched.checkpoint.places import (
    MANIFEST,
    STATE,
    Checkpoint,
    aside,
    delete,
    is_there,
    make_room,
    place,
    places,
    put_back,
    settle,
    survey,
    verified,
)
from lrsched.errors import CheckpointError, StorageError
from lrsched.records import make_folder, sync_folder, write_atomically

log = logging.getLogger("lrsched")


class Store:
    """The checkpoints of one run. Who writes holds the :class:`~lrsched.checkpoint.lock.RunLock` of the run folder.

    Args:
        folder: where they lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._at: int | None = None  # the step of the checkpoint that was written or loaded last

    def save(self, step: int, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
        """Write one checkpoint durably; on return it will be found after any crash.

        Args:
            step: completed updates.
            state: tensors, numbers, text and containers of these, as ``weights_only=True`` loads.
            about: further entries of the manifest (config hash, fingerprint, …).

        Raises:
            StorageError: the file system refused; what was committed before is intact.
        """
        content = packed(state)
        manifest = {
            "schema": SCHEMA,
            "step": step,
            "parent": self._at,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **about,
        }
        path = place(self.folder, step)
        try:
            make_folder(self.folder)
            make_room(path)
            try:
                path.mkdir()
                write_atomically(path / STATE, content, mode=0o600)
                write_atomically(path / MANIFEST, written(manifest), mode=0o600)
                sync_folder(path)
                sync_folder(self.folder)
            except OSError:
                with suppress(OSError):  # the first error is the one to tell; what is left is swept at the next start
                    put_back(path)
                raise
        except OSError as error:
            where = error.filename or path
            raise StorageError(f"checkpoint {path} cannot be written: {error.strerror} ({where})") from error
        self._at = step
        self._delete(aside(path))
        return path

    def prune(self, keep: int, spare: Collection[int] = ()) -> None:
        """Delete all but the newest ``keep`` checkpoints and those of the steps in ``spare``.

        The newest is the one that was written or loaded last: one of a later step was damaged, or the run went
        back behind it. What cannot be deleted is warned of, and tried again the next time.
        """
        try:
            there = [(step, path) for step, path in places(self.folder) if self._at is None or step <= self._at]
            sound = [step for step, path in there if path == place(self.folder, step) and is_there(path / MANIFEST)]
            kept = {*sound[:keep], *(step for step in sound if step in spare)}
            for step, path in places(self.folder):
                if step not in kept or path != place(self.folder, step):
                    self._delete(path)
        except OSError as error:
            log.warning("old checkpoints cannot be looked for: %s (%s)", error.strerror, error.filename)

    def forget(self, after: int) -> None:
        """Delete the checkpoints of later steps than ``after``, durably: the run goes back, and makes them anew.

        Raises:
            OSError: the file system refused.
        """
        for step, path in places(self.folder):
            if step > after:
                delete(path)
        sync_folder(self.folder)
        self._at = after

    def sweep(self) -> list[Path]:
        """Remove what a process that was killed left behind; only for who holds the run's lock.

        That is temporary files, in the run folder and below it, and checkpoints that were never committed.

        Returns:
            What was removed.

        Raises:
            StorageError: the file system refused.
        """
        removed: list[Path] = []
        try:
            for step in {step for step, _ in places(self.folder)}:
                removed += settle(place(self.folder, step))
            inside = (path for _, path in places(self.folder) if not path.is_symlink())
            for folder in (self.folder.parent, self.folder, *inside):
                for path in list(folder.glob(".*.tmp")):
                    if path.is_symlink() or path.is_file():
                        path.unlink()
                        removed.append(path)
        except OSError as error:
            raise StorageError(f"{self.folder.parent} cannot be tidied: {error.strerror} ({error.filename})") from error
        return removed

    def found(self) -> list[Checkpoint]:
        """Every checkpoint that was committed, newest first by step, those with a damaged manifest among them.

        Raises:
            StorageError: the folder cannot be read.
        """
        try:
            return survey(self.folder)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be read: {error.strerror}") from error

    def unfinished(self, after: int) -> list[Path]:
        """Checkpoints of later steps than ``after`` that were never committed, or have lost the mark of it."""
        there = {checkpoint.path for checkpoint in self.found()}
        return [path for step, path in places(self.folder) if step > after and path not in there]

    def committed(self) -> list[Checkpoint]:
        """Checkpoints with a sound manifest, newest first by step (never by a clock)."""
        return [checkpoint for checkpoint in self.found() if not checkpoint.damaged]

    def newest(self) -> tuple[Checkpoint, dict[str, Any], list[str]]:
        """The newest checkpoint that is valid, its state, and what was wrong with newer ones.

        Raises:
            CheckpointError: there is none.
            StorageError: the folder cannot be read.
        """
        complaints = []
        for checkpoint in self.found():
            try:
                state = load(checkpoint)
            except CheckpointError as error:
                complaints.append(str(error))
                continue
            self._at = checkpoint.step
            return checkpoint, state, complaints
        wrong = "; ".join(complaints) or "there is none"
        remedy = "put one back from a copy, or start a new run"
        raise CheckpointError(f"no valid checkpoint in {self.folder}: {wrong}; {remedy}")

    def _delete(self, path: Path) -> None:
        try:
            delete(path)
        except OSError as error:  # what is committed is durable: the run can go on
            log.warning("%s cannot be deleted: %s (%s)", path, error.strerror, error.filename or path)


def load(checkpoint: Checkpoint) -> dict[str, Any]:
    """The state in a checkpoint, verified before it is unpickled.

    Raises:
        CheckpointError: it is damaged, or holds what is not data.
    """
    return unpacked(verified(checkpoint), checkpoint.path / STATE)
