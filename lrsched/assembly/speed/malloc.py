"""``trainer.keep_memory``: the C library keeps what an update gives back, for the next one."""

from __future__ import annotations

import ctypes

MAPPED, TRIM = -4, -1
"""``M_MMAP_MAX`` and ``M_TRIM_THRESHOLD`` of ``malloc.h``."""

MOST_MAPPED, LARGEST_TRIM = 65536, 2**26
"""What a process has where nobody says otherwise: glibc's default, and the most that its second number grows to by
itself. It cannot be asked for either of them."""


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


def let_memory_go() -> None:
    """Give back to the system what is kept, and from now on large tensors as they end.

    Both numbers are put to what they are in other processes. The C library tells nobody what they were, so that those
    of a caller who had set them (``mallopt``, ``MALLOC_TRIM_THRESHOLD_``) are lost; and the size from which on it maps
    memory for one tensor alone, which it otherwise learns, stays what it is.
    """
    library = ctypes.CDLL(None)
    library.mallopt(MAPPED, MOST_MAPPED)
    library.mallopt(TRIM, LARGEST_TRIM)
    library.malloc_trim(0)
