"""Import large packages, and go through many runs, quickly."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Generator[None]:
    """Import in this context without looking for garbage: an import makes none, and looking takes an eighth of it.

    A comparison of runs makes none either: what it reads, it keeps.

    Python's collector walks through all that there is whenever there is a quarter more, which torch's import causes
    some dozens of times.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
