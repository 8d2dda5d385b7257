"""A folder of checkpoints, ``step-0000000468/{state.pt, best.pt, manifest.json}``.

Writing: the state goes piece by piece into a file beside its place, and is hashed on the way; it is read back where its
form is new, synced and renamed. The best weights lie in a file of their own, to which later checkpoints link until
there are better ones. The manifest follows *last*: it is the commit mark. Only then are older checkpoints pruned. A
process killed at any moment leaves the last committed checkpoint as it was; one of the same step waits as
``.step-0000000468.old`` until the new one is committed.

Reading: newest first by the step in the name; the manifest with its seal, the size, the SHA-256, then the
form of the archive are checked before a byte is unpickled, and it is unpickled with ``weights_only=True``,
always. What has no manifest was never committed; what is damaged is said.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsched.checkpoint.archive import unpacked, write
from lrsched.checkpoint.best import BEST_WEIGHTS, BestFile, first_tensor
from lrsched.checkpoint.encode import encoded, form
from lrsched.checkpoint.manifest import SCHEMA, written
from lrsched.checkpoint.places import (
    BEST,
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
from lrsched.errors import CheckpointError, storage
from lrsched.records import make_folder, sync_folder, write_atomically

log = logging.getLogger("lrsched")


class Store:
    """The checkpoints of one run. Writing needs the run folder's :class:`~lrsched.checkpoint.lock.RunLock`.

    Args:
        folder: the checkpoints' folder; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._at: int | None = None  # step of the checkpoint written or loaded last
        self._form: Hashable = None  # of the state read back last
        self._best: BestFile | None = None
        self._warned = False  # that this file system cannot make a folder durable

    def save(self, step: int, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
        """Write one checkpoint durably: after return, any crash leaves it in place.

        Args:
            step: completed updates.
            state: tensors, numbers, text, numpy arrays, and containers of these. Its ``best_weights`` may be the same
                object in later checkpoints, and are then written once.
            about: further entries of the manifest (config hash, fingerprint, …).

        Raises:
            StateError: the state could not be loaded again; earlier checkpoints are intact.
            StorageError: the file system refused; earlier checkpoints are intact.
        """
        path, best = place(self.folder, step), state.get(BEST_WEIGHTS)
        rest = encoded({name: item for name, item in state.items() if name != BEST_WEIGHTS or best is None})
        with storage(f"checkpoint {path} cannot be written", within=path):
            make_folder(self.folder)
            make_room(path)
            try:
                path.mkdir()
                shape = form(rest)
                entries = write(path / STATE, rest, read=shape != self._form)
                manifest = {"schema": SCHEMA, "step": step, "parent": self._at, **entries, **about}
                if best is not None:
                    self._best = BestFile.at(path / BEST, best, self._best)
                    manifest["best"] = self._best.entries
                write_atomically(path / MANIFEST, written(manifest), mode=0o600)
                refusals = [sync_folder(folder) for folder in (path, self.folder)]
            except BaseException:
                with suppress(OSError):  # report the first error; the next start sweeps up the rest
                    put_back(path)
                raise
        if any(refusals) and not self._warned:
            self._warned = True
            log.warning(
                "%s: this file system cannot make a folder durable (%s): a power cut may cost the newest checkpoint",
                path,
                refusals[0],
            )
        self._at, self._form = step, shape
        self._delete(aside(path))
        return path

    def prune(self, keep: int, spare: Collection[int] = ()) -> None:
        """Delete all but the newest ``keep`` checkpoints and those of the steps in ``spare``.

        The newest is the one written or loaded last: one of a later step is damaged, or the run went back before
        it. A checkpoint that cannot be deleted is logged and tried again next time.
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
        """Delete the checkpoints of later steps than ``after``, durably: the run goes back there.

        Raises:
            OSError: the file system refused.
        """
        for step, path in places(self.folder):
            if step > after:
                delete(path)
        sync_folder(self.folder)
        self._at = after

    def tidy(self) -> list[Path]:
        """Remove the leftovers of a killed process. Call it with the run's lock held.

        They are temporary files, in the run folder and below it, and checkpoints that were never committed.

        Returns:
            The removed paths.

        Raises:
            StorageError: the file system refused.
        """
        removed: list[Path] = []
        with storage(f"{self.folder.parent} cannot be tidied", within=self.folder.parent):
            for step in {step for step, _ in places(self.folder)}:
                removed += settle(place(self.folder, step))
            inside = (path for _, path in places(self.folder) if not path.is_symlink())
            for folder in (self.folder.parent, self.folder, *inside):
                for path in list(folder.glob(".*.tmp")):
                    if path.is_symlink() or path.is_file():
                        path.unlink()
                        removed.append(path)
        return removed

    def found(self) -> list[Checkpoint]:
        """Every committed checkpoint, newest first by step, with those whose manifest is damaged.

        Raises:
            StorageError: the folder cannot be read.
        """
        with storage(f"{self.folder} cannot be read"):
            return survey(self.folder)

    def unfinished(self, after: int) -> list[Path]:
        """Checkpoints of later steps than ``after`` without a commit mark."""
        there = {checkpoint.path for checkpoint in self.found()}
        return [path for step, path in places(self.folder) if step > after and path not in there]

    def committed(self) -> list[Checkpoint]:
        """Checkpoints with a sound manifest, newest first by step (never by a clock)."""
        return [checkpoint for checkpoint in self.found() if not checkpoint.damaged]

    def newest(self) -> tuple[Checkpoint, dict[str, Any], list[str]]:
        """The newest valid checkpoint, its state, and why newer ones are not valid.

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
            if "best" in checkpoint.manifest:
                self._best = BestFile(
                    checkpoint.path / BEST, checkpoint.manifest["best"], first_tensor(state[BEST_WEIGHTS])
                )
            return checkpoint, state, complaints
        wrong = "; ".join(complaints) or "there is none"
        remedy = "put one back from a copy, or start a new run"
        raise CheckpointError(f"no valid checkpoint in {self.folder}: {wrong}; {remedy}")

    def _delete(self, path: Path) -> None:
        try:
            delete(path)
        except OSError as error:  # the new checkpoint is durable: the run can go on
            log.warning("%s cannot be deleted: %s (%s)", path, error.strerror, error.filename or path)


def load(checkpoint: Checkpoint) -> dict[str, Any]:
    """The state in a checkpoint, verified before it is unpickled.

    Raises:
        CheckpointError: it is damaged, or holds more than data.
    """
    contents = verified(checkpoint)
    state = unpacked(contents[STATE], checkpoint.path / STATE)
    if BEST in contents:
        state[BEST_WEIGHTS] = unpacked(contents[BEST], checkpoint.path / BEST)
    return state
