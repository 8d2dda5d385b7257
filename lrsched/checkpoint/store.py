"""A folder of checkpoints, ``step-0000000468/{state.pt, manifest.json}``.

Writing: the state is serialised to memory and hashed; ``state.pt`` is written beside its place,
synced and renamed; the manifest follows in the same way, *last*: it is the commit mark. Only then are
older checkpoints pruned. A process killed at any moment leaves the last committed checkpoint as it was.

Reading: newest first by the step in the name; the size, then the SHA-256, then the form of the archive
are checked before a byte is unpickled, and it is unpickled with ``weights_only=True``, always.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lrsched.errors import CheckpointError, StorageError
from lrsched.records import sync_folder, write_atomically

SCHEMA = 1
_STEP = re.compile(r"step-(\d{10,})")
_LARGEST = 64 * 2**30


@dataclass(frozen=True)
class Checkpoint:
    """A committed checkpoint. ``manifest`` holds schema, step, bytes, sha256 and what the run adds."""

    path: Path
    step: int
    manifest: Mapping[str, Any]


class Store:
    """The checkpoints of one run.

    Args:
        folder: where they lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
        """Write one checkpoint durably; on return it will be found after any crash.

        Args:
            step: completed updates.
            state: tensors, numbers, text and containers of these, as ``weights_only=True`` loads.
            about: further entries of the manifest (config hash, fingerprint, …).

        Raises:
            StorageError: the file system refused; earlier checkpoints are intact.
        """
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = buffer.getvalue()
        manifest = {
            "schema": SCHEMA,
            "step": step,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **about,
        }
        path = self.folder / f"step-{step:010d}"
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_atomically(path / "state.pt", content, mode=0o600)
            text = json.dumps(manifest, indent=2, allow_nan=False) + "\n"
            write_atomically(path / "manifest.json", text.encode(), mode=0o600)
            sync_folder(path)
            sync_folder(self.folder)
        except OSError as error:
            raise StorageError(
                f"checkpoint {path} cannot be written: {error.strerror} ({error.filename or path})"
            ) from error
        return path

    def prune(self, keep: int, spare: Collection[int] = ()) -> None:
        """Delete all but the newest ``keep`` committed checkpoints and those of the steps in ``spare``."""
        for checkpoint in self.committed()[keep:]:
            if checkpoint.step not in spare:
                _delete(checkpoint)

    def forget(self, after: int) -> None:
        """Delete the checkpoints of later steps than ``after``, durably: the run goes back, and makes them anew."""
        for checkpoint in self.committed():
            if checkpoint.step > after:
                _delete(checkpoint)
        sync_folder(self.folder)

    def committed(self) -> list[Checkpoint]:
        """Checkpoints with a readable manifest, newest first by step (never by a clock)."""
        found = []
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                match = _STEP.fullmatch(path.name)
                manifest = _read_manifest(path / "manifest.json") if match else None
                if manifest is not None and match is not None and manifest.get("step") == int(match[1]):
                    found.append(Checkpoint(path, int(match[1]), manifest))
        return sorted(found, key=lambda checkpoint: -checkpoint.step)

    def newest(self) -> tuple[Checkpoint, dict[str, Any], list[str]]:
        """The newest checkpoint that is valid, its state, and what was wrong with newer ones.

        Raises:
            CheckpointError: there is none.
        """
        complaints = []
        for checkpoint in self.committed():
            try:
                return checkpoint, load(checkpoint), complaints
            except CheckpointError as error:
                complaints.append(str(error))
        wrong = "; ".join(complaints) or "there is none"
        raise CheckpointError(f"no valid checkpoint in {self.folder}: {wrong}")


def _delete(checkpoint: Checkpoint) -> None:
    """Delete one checkpoint, the commit mark first: a half-deleted one must not look whole."""
    (checkpoint.path / "manifest.json").unlink(missing_ok=True)
    shutil.rmtree(checkpoint.path, ignore_errors=True)


def load(checkpoint: Checkpoint) -> dict[str, Any]:
    """The state in a checkpoint, verified before it is unpickled.

    Raises:
        CheckpointError: it is damaged, or holds what is not data.
    """
    path, manifest = checkpoint.path / "state.pt", checkpoint.manifest
    if manifest.get("schema") != SCHEMA:
        raise CheckpointError(f"{path}: schema {manifest.get('schema')} is not {SCHEMA}: written by another version")
    try:
        size = os.stat(path).st_size
        if size != manifest.get("bytes") or size > _LARGEST:
            raise CheckpointError(f"{path}: has {size} bytes, the manifest says {manifest.get('bytes')}")
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != manifest.get("sha256"):
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not the manifest's")
    _check_archive(path, content)
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises anything on foreign bytes
        raise CheckpointError(f"{path}: cannot be read as data: {type(error).__name__}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds a {type(state).__name__}, not a state")
    return state


def _check_archive(path: Path, content: bytes) -> None:
    """Refuse archives that torch.save does not write: compressed ones unpack to any size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise CheckpointError(f"{path}: is no checkpoint archive") from error
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > len(content):
        raise CheckpointError(f"{path}: is a compressed archive, which no checkpoint is")


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None
