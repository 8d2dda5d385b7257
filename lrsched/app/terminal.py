"""What stdout is: a terminal, so many columns wide and with colours, or something that nobody looks at."""

from __future__ import annotations

import os
import shutil
import sys


def terminal() -> tuple[int | None, bool]:
    """The width of the terminal that stdout is, None where it is none, and whether to use colours."""
    watched = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size().columns if watched else None
    return width, watched and not os.environ.get("NO_COLOR")
