"""Fetching a data set through torchvision, and what to say when that does not work."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from lrsched.errors import DataError

PATIENCE = 10.0
"""Seconds of silence after which a server is given up: by itself urllib would wait for ever."""


def fetch(name: str, root: Path) -> str:
    """Fetch ``torchvision.datasets.<name>`` into ``root``; why that failed, or "" if it did not.

    It is fetched into a folder beside its place and moved there file by file, so that a download that is
    killed, or that several runs of a sweep start at once, never leaves half a file to be read.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        from torchvision import datasets  # here, because importing it takes seconds

        root.mkdir(parents=True, exist_ok=True)
        with _impatient(), tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as scratch:
            getattr(datasets, name)(scratch, download=True)
            for file in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
                target = root / file.relative_to(scratch)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
    except (ImportError, OSError, RuntimeError, HTTPException, EOFError) as error:
        for folder in made:  # the empty ones that were made for nothing
            with suppress(OSError):
                folder.rmdir()
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[-1].strip("<>") if lines else type(error).__name__
    return ""


@contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unavailable(name: str, folder: Path, files: Sequence[str], why: str, remedy: str) -> DataError:
    """The one message for a data set that is not there and could not be fetched."""
    reason = f"the download failed: {why}" if why else "the download did not bring what was missing"
    return DataError(
        f"{name}: not found, or not intact, in {folder}: {', '.join(files)}; {reason}; "
        f"{remedy}, or name another folder of data sets with dataset.root=FOLDER"
    )
