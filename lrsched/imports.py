"""Keep Python's garbage collector out of the way: of large imports, of many runs that are read, of forks."""

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


@contextmanager
def set_apart() -> Generator[None]:
    """Let Python's collector, in this context and in processes forked in it, pass over all that there is by now.

    What is imported is no garbage, and a forked process that looks through it copies each page of it: 0.1 s a process.
    """
    mine = not gc.get_freeze_count()  # else somebody has done so for longer
    if mine:
        gc.freeze()
    try:
        yield
    finally:
        if mine:
            gc.unfreeze()
