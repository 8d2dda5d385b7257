"""What is printed on stdout, which nobody need read to the end."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def tell(text: str, file: TextIO | None = None) -> None:
    """Print a text at once. A reader that has gone away (``| head -1``) is no fault of ours: the rest goes unread."""
    try:
        print(text, file=file or sys.stdout, flush=True)
    except BrokenPipeError:
        unread(file or sys.stdout)


def unread(file: TextIO) -> None:
    """Let what is still to come on a stream whose reader has gone away go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
