"""Learning-rate schedules in PyTorch: exact, config-driven, comparable.

Importing this package imports neither torch nor numpy; its public names load what they need when touched::

    import lrsched

    scheduler = lrsched.LRScheduler(optimizer, "cosine", lrsched.Horizon(steps=10_000, steps_per_epoch=500))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsched.finder.here import find
    from lrsched.horizon import Horizon
    from lrsched.python.finished import load
    from lrsched.python.run import run
    from lrsched.schedulers.adapter import LRScheduler

__version__ = "0.2.0"
__all__ = ["Horizon", "LRScheduler", "find", "load", "run"]

_HOMES = {
    "Horizon": "lrsched.horizon",
    "LRScheduler": "lrsched.schedulers.adapter",
    "find": "lrsched.finder.here",
    "load": "lrsched.python.finished",
    "run": "lrsched.python.run",
}


_SHELVES = ("data", "loggers", "models", "optimizers", "schedulers", "schedules", "tasks")


def __getattr__(name: str) -> Any:
    if name in _SHELVES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SHELVES})
