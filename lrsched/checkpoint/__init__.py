"""Checkpoints: a run at rest, on disk: atomic, hashed, safe to load; one writer at a time.

The names are lazy: importing the lock alone imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsched.checkpoint.lock import RunLock
    from lrsched.checkpoint.places import Checkpoint
    from lrsched.checkpoint.store import Store

__all__ = ["Checkpoint", "RunLock", "Store"]

_HOMES = {
    "Checkpoint": "lrsched.checkpoint.places",
    "RunLock": "lrsched.checkpoint.lock",
    "Store": "lrsched.checkpoint.store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
