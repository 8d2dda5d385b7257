"""Download a data set through torchvision."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from lrsched.errors import DataError

PATIENCE = 10.0
"""Seconds to wait for a silent server; urllib alone would wait for ever."""


def fetch(name: str, root: Path) -> str:
    """Download ``torchvision.datasets.<name>`` into ``root``; return why that failed, or "".

    Downloads into a scratch folder and moves the files one by one: a killed download, or several runs of a sweep at
    once, leave no partial file.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        from torchvision import datasets  # slow to import

        root.mkdir(parents=True, exist_ok=True)
        with _with_timeout(), tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as scratch:
            getattr(datasets, name)(scratch, download=True)
            for file in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
                target = root / file.relative_to(scratch)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
    except (ImportError, OSError, RuntimeError, HTTPException, EOFError) as error:
        for folder in made:  # remove those still empty
            with suppress(OSError):
                folder.rmdir()
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[-1].strip("<>") if lines else type(error).__name__
    return ""


@contextmanager
def _with_timeout() -> Generator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unavailable(name: str, folder: Path, files: Sequence[str], why: str, remedy: str) -> DataError:
    """Make the error for a data set that is missing and could not be downloaded."""
    reason = f"the download failed: {why}" if why else "the download did not bring what was missing"
    return DataError(
        f"{name}: not found, or not intact, in {folder}: {', '.join(files)}; {reason}; "
        f"{remedy}, or name another folder of data sets with dataset.root=FOLDER"
    )
