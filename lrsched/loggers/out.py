"""What a run prints on stdout, which nobody need read to the end."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def tell(text: str, file: TextIO | None = None) -> None:
    """Print a text at once. A reader that has gone away (``| head -1``) is no fault of the run: it goes on unread."""
    try:
        print(text, file=file or sys.stdout, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), (file or sys.stdout).fileno())
