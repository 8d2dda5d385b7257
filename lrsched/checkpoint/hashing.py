"""A file that is hashed while it is written: no second copy of a state is ever in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

import torch

_SMALL = 2**16
"""Pieces below so many bytes are gathered to as many before they are handed to the system."""


class Hashing:
    """Counts and hashes what goes through it to a file, piece by piece.

    Args:
        write: takes bytes and returns how many of them it took, as ``os.write`` does.
    """

    def __init__(self, write: Callable[[memoryview], int]) -> None:
        self._write, self._gathered, self._hash = write, bytearray(), hashlib.sha256()
        self._refused: OSError | None = None
        self.bytes = 0

    def write(self, piece: Any) -> int:
        """Take a piece: what torch.save calls."""
        view = memoryview(piece).cast("B")
        if len(view) < _SMALL:
            self._gathered += view
            if len(self._gathered) >= _SMALL:
                self.flush()
        else:
            self.flush()
            self._through(view)
        return len(view)

    def flush(self) -> None:
        """Hand on what is gathered."""
        gathered, self._gathered = self._gathered, bytearray()
        self._through(memoryview(gathered))

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a state whole: equal states give equal bytes.

        Raises:
            OSError: the file system refused.
        """
        try:
            torch.save(dict(state), cast(IO[bytes], self))
            self.flush()
        except Exception:
            if self._refused is not None:  # torch turns it into errors of its own
                raise self._refused from None
            raise

    @property
    def entries(self) -> dict[str, Any]:
        """What a manifest says of the file."""
        return {"bytes": self.bytes, "sha256": self._hash.hexdigest()}

    def _through(self, view: memoryview) -> None:
        self._hash.update(view)
        self.bytes += len(view)
        try:
            while view:
                view = view[self._write(view) :]
        except OSError as error:
            self._refused = error
            raise
