"""Resources that a sweep lends to one of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lrsched.checkpoint.fork_point import Share
from lrsched.console import say
from lrsched.loggers.slots import ProgressSlot

if TYPE_CHECKING:
    from lrsched.assembly.data import Loaded


@dataclass(frozen=True)
class WorkerContext:
    """Resources that the process of a job inherits from its launcher; a single run has the defaults.

    Args:
        data: data sets in memory.
        threads: torch's default number of threads, for a config that sets none.
        share: its part in a stage tree: the state to begin with, and the states to keep for other runs.
        progress: the slot that shows how far the run is.
        warn: prints that a saved state cannot be used; a sweep repeats it.
    """

    data: Mapping[str, Loaded] = field(default_factory=dict)
    threads: int | None = None
    share: Share = field(default_factory=Share)
    progress: ProgressSlot | None = None
    warn: Callable[[str], None] = say
