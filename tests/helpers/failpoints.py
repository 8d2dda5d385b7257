"""Kill a run at a named point, before or after the point's n-th hit.

Each is a seam that is wrapped from outside, in the child: a method of ours or of PyTorch, or a system call and
what it is called on. ``os._exit`` leaves everything as a power cut of the process would: no handler, no flush.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

DIED = 137

Pick = Callable[..., bool]
"""Whether a call of the seam belongs to the point."""


def _always(*_: Any, **__: Any) -> bool:
    return True


def _replaces(name: str) -> Pick:
    return lambda source, target, **_: Path(target).name == name


def _temporary(path: Any, *_: Any, **__: Any) -> bool:
    return str(path).endswith(".tmp")


def _is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _is_file(descriptor: int) -> bool:
    return not _is_folder(descriptor)


# name -> (where the seam is, its name there, which calls of it count)
POINTS: dict[str, tuple[str, str, Pick]] = {
    "batch": ("lrsched.data.loader:Loader", "batch", _always),
    "backward": ("torch:Tensor", "backward", _always),
    "optimizer step": ("lrsched.train.gradient.stepper:Stepper", "step", _always),
    "scheduler.set": ("scheduler", "set", _always),
    "scheduler.observe": ("scheduler", "observe", _always),
    "evaluate": ("lrsched.runs.together.trainer", "evaluated", _always),
    "row": ("lrsched.records:Rows", "write", _always),
    "serialise": ("torch", "save", _always),
    "open a temporary": ("os", "open", _temporary),
    "sync a file": ("os", "fsync", _is_file),
    "replace state.pt": ("os", "replace", _replaces("state.pt")),
    "replace the manifest": ("os", "replace", _replaces("manifest.json")),
    "sync a folder": ("os", "fsync", _is_folder),
    "prune": ("lrsched.checkpoint.store:Store", "prune", _always),
    "delete": ("os", "unlink", lambda path, **_: str(path).endswith("manifest.json")),
    "delete a folder": ("shutil", "rmtree", _always),
    "replace result.json": ("os", "replace", _replaces("result.json")),
}
ONCE = ("replace result.json",)
"""Points that a run hits once."""


def die(point: str, when: str, hit: int) -> None:
    """Die ``before`` or ``after`` the point's n-th hit; ``half``: in the middle of the n-th write."""
    if when == "half":
        _die_half_way(hit)
        return
    place, name, pick = POINTS[point]
    count = [0]
    for owner in _owners(place, name):
        original = owner.__dict__[name]

        def wrapped(*arguments: Any, _original: Any = original, **named: Any) -> Any:
            own = pick(*arguments, **named)
            count[0] += own
            if own and when == "before" and count[0] == hit:
                os._exit(DIED)
            answer = _original(*arguments, **named)
            if own and when == "after" and count[0] == hit:
                os._exit(DIED)
            return answer

        setattr(owner, name, functools.wraps(original)(wrapped))


def _die_half_way(hit: int) -> None:
    original, count = os.write, [0]

    def write(descriptor: int, content: Any) -> int:
        own = os.readlink(f"/proc/self/fd/{descriptor}").endswith(".tmp")
        count[0] += own
        if own and count[0] == hit:
            original(descriptor, bytes(content)[: len(content) // 2])
            os._exit(DIED)
        return original(descriptor, content)

    os.write = write


def _owners(place: str, name: str) -> list[Any]:
    """The module or class that holds the seam; of schedulers, every class that has its own."""
    if place == "scheduler":
        for module in ("native", "plateau", "greedy", "values"):
            import_module(f"lrsched.schedulers.{module}")
        base = import_module("lrsched.schedulers.base").Scheduler
        return [kind for kind in _kinds(base) if name in vars(kind)]
    if place == "shutil":
        return [shutil]
    module, _, attribute = place.partition(":")
    owner = import_module(module)
    return [getattr(owner, attribute) if attribute else owner]


def _kinds(base: type) -> list[type]:
    return [base, *(kind for child in base.__subclasses__() for kind in _kinds(child))]
