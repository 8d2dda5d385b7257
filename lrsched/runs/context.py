"""Resources that a sweep, or a program in Python, lends to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lrsched.checkpoint.fork_point import Share
from lrsched.config.given import Given
from lrsched.console import say
from lrsched.loggers.slots import ProgressSlot
from lrsched.records import RunFolder

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
        objects: given in Python, by the key of the node that each stands in for.
        again: how to ask for a run by these words; None: by a command.
        entered: told the folder of the run as soon as it holds the run.
    """

    data: Mapping[str, Loaded] = field(default_factory=dict)
    threads: int | None = None
    share: Share = field(default_factory=Share)
    progress: ProgressSlot | None = None
    warn: Callable[[str], None] = say
    objects: Mapping[str, Given] = field(default_factory=dict)
    again: Callable[[str], str] | None = None
    entered: Callable[[RunFolder], None] = lambda folder: None
