"""stdout and stderr, which nobody need read to the end: one who has gone away (``| head -2``) is no fault of ours."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO, cast

GONE = (errno.EPIPE, errno.EIO)
"""What a write is told once a pipe has no reader any more, or its terminal was closed."""


def tell(text: str, file: TextIO | None = None) -> None:
    """Print a text at once."""
    print(text, file=file or sys.stdout, flush=True)


def forgive_readers() -> None:
    """Let what is printed to a stream whose reader has gone away go nowhere, whoever in this process prints it."""
    sys.stdout, sys.stderr = _forgiving(sys.stdout), _forgiving(sys.stderr)


class _Forgiving(io.FileIO):
    """The raw end of a stream: below every print, flush, traceback and progress bar, so that one look is enough."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno not in GONE:
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)  # type: ignore[arg-type]


def _forgiving(stream: TextIO) -> TextIO:
    """The same stream with another raw end; one that leads to no file as it is."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.FileIO) or isinstance(raw, _Forgiving):
        return stream
    stream.flush()
    forgiving = _Forgiving(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        cast(io.BufferedWriter, forgiving if buffer is raw else io.BufferedWriter(forgiving)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
