"""``trainer.keep_memory``: the C library keeps what an update gives back, for the next one."""

from __future__ import annotations

import ctypes

MAPPED, TRIM = -4, -1
"""``M_MMAP_MAX`` and ``M_TRIM_THRESHOLD`` of ``malloc.h``."""


def can_keep() -> bool:
    """Whether the C library is GNU's, which can be told."""
    try:
        return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    except (OSError, TypeError):
        return False


def keep_memory() -> None:
    """Keep all memory in this process from now on: none is mapped for one tensor alone, none is given back.

    Without this the activations of an update go back to the system when it ends, and the next one waits for the
    same pages, filled with zeros. No bit changes.
    """
    library = ctypes.CDLL(None)
    library.mallopt(MAPPED, 0)
    library.mallopt(TRIM, -1)
