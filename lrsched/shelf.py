"""A shelf: a package in which each public class lives in a small file of its own.

A newcomer puts one file on the shelf and touches nothing else: ``lrsched.schedules.InverseTime`` is
looked for in the file of that name, ``inverse_time.py`` (upper case and underscores do not count),
when it is first asked for. Nothing is imported before.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


def shelf(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a shelf package.

    >>> import lrsched.schedules
    >>> lrsched.schedules.InverseTime.__module__
    'lrsched.schedules.inverse_time'
    """
    path = sys.modules[package].__path__

    def getattribute(name: str) -> Any:
        if not name.startswith("_"):
            for module in pkgutil.iter_modules(path):
                if module.name.replace("_", "") == name.lower():
                    found = getattr(importlib.import_module(f"{package}.{module.name}"), name, None)
                    if found is not None:
                        return found
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        """Every public class of the shelf; imports all its files."""
        found: set[str] = set()
        for module in pkgutil.iter_modules(path):
            loaded = importlib.import_module(f"{package}.{module.name}")
            found |= {
                name
                for name, item in vars(loaded).items()
                if isinstance(item, type)
                and item.__module__ == loaded.__name__
                and name.lower() == module.name.replace("_", "")
            }
        return sorted(found)

    return getattribute, names


@cache
def target_name(target: str) -> str:
    """The name by which a config chooses a class.

    >>> [target_name(name) for name in ("lrsched.schedules.WSDS", "torch.optim.lr_scheduler.StepLR", "my.own.Rate")]
    ['wsd_s', 'torch/StepLR', 'Rate']
    """
    package, _, name = target.rpartition(".")
    if package in ("torch.optim.lr_scheduler", "torch.optim.swa_utils"):
        return f"torch/{name}"
    if package == "schedulefree":
        return f"schedulefree/{name.removesuffix('ScheduleFree').lower()}"
    if package == "torch.optim":
        return name.lower()
    if package.startswith("lrsched."):  # a class is in the file of its name
        folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
        files = [module.name for module in pkgutil.iter_modules([str(folder)])]
        return next((file for file in files if file.replace("_", "") == name.lower()), name)
    return name
