"""What each run of a test process pays for although no test looks at it, made cheap.

* ``os.fsync`` waits for the disk, fourteen times in the shortest run. Nobody cuts the power of a test; those that ask
  what is synced, and when, play the disk.
* OmegaConf copies the metadata of every node by the slowest way that Python has; Hydra copies each config four times.
* PyTorch keeps each seed, with a stack trace, for an accelerator that may be used later.
"""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from importlib.util import find_spec
from typing import Any


def install() -> None:
    """Change this process and those that it forks."""
    os.fsync = _sync_nothing
    _copy_metadata_by_hand()
    if find_spec("torch"):  # the newest Python's lane has none
        _keep_no_seeds()


def _sync_nothing(descriptor: int) -> None:
    os.fstat(descriptor)  # a descriptor that is closed is an error still


def _copy_metadata_by_hand() -> None:
    from omegaconf.base import Metadata

    def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        new = object.__new__(type(self))
        vars(new).update(vars(self))  # types, a key and booleans: they are what they are
        new.flags = None if self.flags is None else dict(self.flags)
        cache = self.resolver_cache
        new.resolver_cache = copy.deepcopy(cache, memo) if cache else defaultdict(dict)
        return new

    Metadata.__deepcopy__ = deepcopy  # type: ignore[attr-defined]


def _keep_no_seeds() -> None:
    import torch

    for device in (torch.cuda, torch.xpu):
        if not device.is_available():
            device.random._lazy_call = _forget
    if not torch.mtia.is_available():
        torch.mtia._lazy_call = _forget


def _forget(*_: Any, **__: Any) -> None:
    """Take a call that waits for an accelerator, of which there is none."""
