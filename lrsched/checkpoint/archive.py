"""Pack a state into bytes and back. Bytes are checked before they are unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from lrsched.errors import CheckpointError

_AT_WILL = (b"cbuiltins\nbytearray\n", b"c__builtin__\nbytearray\n")
"""A name that ``weights_only=True`` allows, though a few bytes of it can claim any amount of memory."""


def packed(state: Mapping[str, Any]) -> bytes:
    """A state in PyTorch's format: equal states give equal bytes."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()


def unpacked(content: bytes, path: Path) -> dict[str, Any]:
    """The state in an archive.

    Args:
        content: the file's bytes.
        path: the file, for messages.

    Raises:
        CheckpointError: the bytes are no state, or hold more than data.
    """
    _check(content, path)
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises anything on foreign bytes
        raise CheckpointError(f"{path}: cannot be read as data: {type(error).__name__}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds a {type(state).__name__}, not a state")
    return state


def _check(content: bytes, path: Path) -> None:
    """Refuse archives that torch.save does not write: compressed ones unpack to any size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            if not stored or sum(entry.file_size for entry in entries) > len(content):
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
