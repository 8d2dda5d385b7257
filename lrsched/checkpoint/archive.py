"""A state as a file: written in PyTorch's format, checked before it is unpickled, and read back before it counts."""

from __future__ import annotations

import errno
import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import torch

from lrsched.checkpoint.encode import culprit, decoded, encoded, is_plain, same, without_numbers
from lrsched.checkpoint.hashing import Hashing
from lrsched.errors import CheckpointError
from lrsched.records import replaced

_AT_WILL = (b"cbuiltins\nbytearray\n", b"c__builtin__\nbytearray\n")
"""A name that ``weights_only=True`` allows, though a few bytes of it can claim any amount of memory."""


def write(path: Path, state: Mapping[str, Any], *, read: bool) -> dict[str, Any]:
    """Write a state to a file whole, or leave what was there.

    Args:
        path: the file.
        state: encoded.
        read: read it back before it gets its name.

    Returns:
        Its size and hash, for the manifest.

    Raises:
        StateError: it could not be loaded again.
        OSError: the file system refused.
    """
    with replaced(path, mode=0o600) as (descriptor, temporary):
        file = Hashing(lambda view: os.write(descriptor, view))
        try:
            file.save(state)
        except (pickle.PickleError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            if _loads(state):  # it was not the state's fault
                raise
            raise culprit(state, _loads, "") from error
        if read:
            read_back(temporary, state)
    return file.entries


def packed(state: Mapping[str, Any]) -> bytes:
    """A state in PyTorch's format, in memory."""
    buffer = io.BytesIO()
    Hashing(buffer.write).save(state)
    return buffer.getvalue()


def unpacked(content: bytes, path: Path) -> dict[str, Any]:
    """The state in an archive.

    Args:
        content: the file's bytes.
        path: the file, for messages.

    Raises:
        CheckpointError: the bytes are no state, or hold more than data.
    """
    _check(io.BytesIO(content), len(content), path)
    state = _loaded(io.BytesIO(content), path)
    try:
        return decoded(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def require_loadable(state: Mapping[str, Any]) -> None:
    """Refuse a state that could be saved but never loaded, without its numbers: before anything is written.

    Raises:
        StateError: it names the part.
    """
    small = without_numbers(encoded(state))
    if not (is_plain(small) or _loads(small)):
        raise culprit(small, _loads, "")


def read_back(path: Path, state: Mapping[str, Any]) -> None:
    """Load a file that was just written, memory-mapped, and compare.

    Args:
        path: the file.
        state: what it was made from, encoded.

    Raises:
        StateError: it cannot be loaded, or comes back as something else; names the part.
        OSError: the state can be loaded, but not from this file.
    """
    try:
        with open(path, "rb") as file:
            _check(file, path.stat().st_size, path)
        sound = same(dict(state), _loaded(path, path, mmap=True))
    except CheckpointError:
        sound = False
    if not sound:
        if _loads(state):
            raise OSError(errno.EIO, "what was written cannot be read back", str(path))
        raise culprit(state, _loads, "")


def _loads(value: Any) -> bool:
    """Whether a part of a state comes back from a file of its own."""
    try:
        content = packed({"part": value})
        _check(io.BytesIO(content), len(content), Path())
        return same({"part": value}, _loaded(io.BytesIO(content), Path()))
    except OSError:
        raise
    except Exception:  # whatever pickling a foreign object raises
        return False


def _loaded(file: BinaryIO | Path, path: Path, **options: Any) -> dict[str, Any]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of sparse tensors, that they are looked at
            state = torch.load(file, map_location="cpu", weights_only=True, **options)
    except Exception as error:  # the unpickler raises anything on foreign bytes
        raise CheckpointError(f"{path}: cannot be read as data: {type(error).__name__}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds a {type(state).__name__}, not a state")
    return state


def _check(file: BinaryIO, size: int, path: Path) -> None:
    """Refuse archives that torch.save does not write: compressed ones unpack to any size."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            if not stored or sum(entry.file_size for entry in entries) > size:
                raise CheckpointError(f"{path}: is a compressed archive, which no checkpoint is")
            pickles = [archive.read(entry) for entry in entries if entry.filename.lower().endswith(".pkl")]
    except CheckpointError:
        raise
    except Exception as error:  # zipfile raises ten kinds of it
        raise CheckpointError(f"{path}: is no checkpoint archive") from error
    names = [entry.orig_filename for entry in entries]
    if len(set(names)) < len(names) or not all(map(_stays_inside, names)):
        raise CheckpointError(f"{path}: names its entries as no checkpoint does")
    if not entries or min(entry.header_offset for entry in entries):
        raise CheckpointError(f"{path}: does not begin with its first entry, as a checkpoint does")
    if any(word in content for content in pickles for word in _AT_WILL):
        raise CheckpointError(f"{path}: holds a bytearray, which no state does")


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name
