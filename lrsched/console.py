"""Print messages and texts; know the terminal; ignore broken pipes (``| head``)."""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO, cast

from lrsched.masked import mask

GONE = (errno.EPIPE, errno.EIO)
"""Errors of a write to a pipe without a reader, or to a closed terminal."""


def say(message: str) -> None:
    """Print one paragraph on stderr, with control characters escaped, without secrets."""
    shown = mask().hide(message)
    paragraph = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
    print(f"lrsched: {paragraph}".encode(errors="backslashreplace").decode(), file=sys.stderr, flush=True)


def command() -> str:
    """The command that started this process, to be typed again: ``python train.py`` or ``lrsched train``."""
    program = sys.argv[0]
    if program.endswith("__main__.py"):
        return "python -m lrsched train"
    return f"python {program}" if program.endswith(".py") else "lrsched train"


def typed(words: str, trust: Iterable[str] = (), program: str | None = None) -> str:
    """The command line that gives these words to the program that started this process, in a new shell.

    Args:
        words: overrides, quoted for the shell.
        trust: the modules that the new shell must trust.
        program: to type instead: a notebook was started by none of ours.
    """
    trusting = f"LRSCHED_TRUST={shlex.quote(':'.join(trust))} " if trust else ""
    return f"{trusting}{program or command()} {words}"


def path_override(key: str, path: str | os.PathLike[str]) -> str:
    """An override quoted for the shell and for Hydra's grammar, which needs quotes around most signs.

    >>> path_override("resume", "outputs/a")
    'resume=outputs/a'
    >>> print(path_override("resume", "it's"))
    'resume='"'"'it\\'"'"'s'"'"''
    """
    if re.fullmatch(r"[\w./-]+", os.fspath(path), re.ASCII):
        return f"{key}={os.fspath(path)}"
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + found[2].replace("'", "\\'"), os.fspath(path))
    return shlex.quote(f"{key}='{escaped}'")


def terminal() -> tuple[int | None, bool]:
    """The width of stdout's terminal (None: it is no terminal), and whether to use colours."""
    interactive = is_interactive(sys.stdout)
    width = shutil.get_terminal_size().columns if interactive else None
    return width, interactive and not os.environ.get("NO_COLOR")


def in_notebook() -> bool:
    """Whether a notebook runs this process, and shows what it is given to display."""
    notebook = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return notebook is not None and hasattr(notebook(), "kernel")


def is_interactive(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can redraw its lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def tell(text: str, file: TextIO | None = None) -> None:
    """Print a text at once."""
    print(text, file=file or sys.stdout, flush=True)


def forgive_readers() -> None:
    """Discard what this process prints to stdout or stderr once the reader is gone."""
    sys.stdout, sys.stderr = _forgiving(sys.stdout), _forgiving(sys.stderr)


class _Forgiving(io.FileIO):
    """The raw end of a stream, below every print, flush, traceback and progress bar."""

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
    """The stream over a forgiving raw end; a stream that leads to no file stays as it is."""
    buffer: object = getattr(stream, "buffer", None)
    raw: object = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.FileIO) or isinstance(raw, _Forgiving):
        return cast(TextIO, stream)
    stream.flush()
    forgiving = _Forgiving(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        cast(io.BufferedWriter, forgiving if buffer is raw else io.BufferedWriter(forgiving)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
