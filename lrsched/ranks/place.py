"""Where a process stands among those of its run: by torchrun, by a cluster, or by the process that started it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrsched.errors import ConfigError

if TYPE_CHECKING:
    from lrsched.ranks.children import Children

KEY = "trainer.processes"
TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables by which torchrun, and whatever speaks as it does, tells a process where it stands."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A process among those of its run.

    Args:
        rank: of the process; 0 composes, writes and prints.
        size: processes.
        local: its number on this machine.
        beside: processes on this machine.
        children: the others, where this process has started them; else None.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    beside: int = 1
    children: Children | None = None


ONLY = Place()
"""A run of one process."""


def given_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """The place that the environment gives this process; None: it says nothing, or that there is one process.

    Raises:
        ConfigError: it says something impossible.

    >>> given_place({"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "a", "MASTER_PORT": "1", "LOCAL_RANK": "1"})
    Place(rank=1, size=4, local=1, beside=4, children=None)
    """
    if not all(environment.get(name) for name in TORCHRUN):
        return None
    rank, size = _number(environment, "RANK"), _number(environment, "WORLD_SIZE")
    beside = _number(environment, "LOCAL_WORLD_SIZE", size)
    local = _number(environment, "LOCAL_RANK", rank % max(1, beside))
    if not 0 <= rank < size or not 0 <= local < beside:
        rule = f"stands beside WORLD_SIZE={size}, LOCAL_RANK={local} and LOCAL_WORLD_SIZE={beside}"
        raise ConfigError("RANK", rank, rule, "unset these variables, or let torchrun set them")
    return None if size == 1 else Place(rank=rank, size=size, local=local, beside=beside)


def require_same(place: Place | None, processes: int) -> None:
    """Refuse a number of processes that is not that of the environment.

    Args:
        place: that the environment gives; None: none.
        processes: of the config; 1: it says nothing.

    Raises:
        ConfigError: they differ.
    """
    if place is not None and processes not in (1, place.size):
        rule = f"torchrun has started {place.size} processes of this run"
        raise ConfigError(KEY, processes, rule, "leave it out, or start the run without torchrun")


def on_device(place: Place, device: str, cuda: int) -> str:
    """The device of a process, as torch names it.

    Args:
        place: of the process.
        device: of the config.
        cuda: GPUs that the process sees.

    Raises:
        ConfigError: the processes of this machine cannot have one each.
    """
    kind, _, number = device.partition(":")
    if place.size == 1 or kind == "cpu" or (kind == "auto" and not cuda):
        return device
    if number:
        rule = f"is one GPU, and the run has {place.size} processes"
        raise ConfigError("device", device, rule, f"give device={kind}: each process takes one of its own")
    if kind not in ("auto", "cuda"):
        rule = f"is no device for the {place.size} processes of a run"
        raise ConfigError("device", device, rule, "give device=cpu or device=cuda")
    if place.beside > cuda:
        rule = f"asks for {place.beside} GPUs on this machine, one for each process, and there are {cuda}"
        raise ConfigError(KEY, place.size, rule, f"give {KEY}={max(1, cuda)}, or device=cpu")
    return f"cuda:{place.local}"


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError:
        raise ConfigError(name, text, "must be a whole number", "let torchrun set it") from None
