"""The manifest of a checkpoint: size and hash of its state, sealed by a hash of its own. Every entry is checked."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lrsched.errors import CheckpointError

SCHEMA = 2
SEAL = "manifest_sha256"
_LARGEST = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "schema": ("a whole number", _is_count),
    "step": ("a whole number", _is_count),
    "parent": ("null or a whole number", lambda value: value is None or _is_count(value)),
    "bytes": ("a whole number", _is_count),
    "sha256": ("64 hexadecimal digits", _is_sha256),
}
_OF_A_FILE = {name: _FIELDS[name] for name in ("bytes", "sha256")}
_OF_THE_RUN: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "config_sha256": ("64 hexadecimal digits", _is_sha256),
    "fingerprint": ("a mapping", lambda value: isinstance(value, dict)),
    "best": ("the size and hash of a file", lambda value: _fits(value, _OF_A_FILE)),
}


def _fits(value: Any, fields: Mapping[str, tuple[str, Callable[[Any], bool]]]) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == fields.keys()
        and all(fits(value[name]) for name, (_, fits) in fields.items())
    )


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the SHA-256 of its entries, which a flipped bit in any of them breaks."""
    entries = {name: value for name, value in manifest.items() if name != SEAL}
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return {**entries, SEAL: hashlib.sha256(text.encode()).hexdigest()}


def written(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as a file."""
    return (json.dumps(sealed(manifest), indent=2, allow_nan=False) + "\n").encode()


def read_manifest(path: Path, step: int) -> dict[str, Any] | None:
    """The manifest in a file, or None without such a file: the checkpoint was never committed.

    Args:
        path: the file.
        step: the step in its folder's name.

    Raises:
        CheckpointError: it is damaged, or belongs to another checkpoint.
    """
    try:
        manifest = json.loads(read_plain(path, _LARGEST), parse_constant=_no_constant)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged, it is no JSON") from error
    if not isinstance(manifest, dict):
        raise CheckpointError(f"{path}: damaged, it is no mapping")
    schema = manifest.get("schema")
    if type(schema) is int and schema != SCHEMA and manifest.get(SEAL) in (None, sealed(manifest)[SEAL]):
        raise CheckpointError(f"{path}: schema {schema} is not {SCHEMA}: written by another version")
    present = {name: field for name, field in _OF_THE_RUN.items() if name in manifest}
    for name, (form, fits) in {**_FIELDS, **present}.items():
        if name not in manifest or not fits(manifest[name]):
            raise CheckpointError(f"{path}: damaged, its {name} is not {form}")
    if manifest != sealed(manifest):
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not that of its entries")
    if manifest["step"] != step:
        raise CheckpointError(f"{path}: it is the manifest of step {manifest['step']}")
    return manifest


def read_plain(path: Path, largest: int) -> bytes:
    """The content of a plain file of at most ``largest`` bytes.

    Refuses a symbolic link, a folder, a device, and a file that changes while it is read.

    Raises:
        OSError: the file cannot be read or is refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "is no plain file", os.fspath(path))
        if about.st_size > largest:
            raise OSError(errno.EFBIG, f"has {about.st_size} bytes, more than {largest}", os.fspath(path))
        content = file.read(about.st_size + 1)
        if len(content) != about.st_size:
            raise OSError(errno.EAGAIN, "changes while it is read", os.fspath(path))
        return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
