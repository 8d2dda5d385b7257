"""What every logger is, and what it is told about the run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, float | int | str]
"""One row of ``metrics.jsonl``: ``step`` and ``epoch`` say where, the other names say what."""

POSITION = ("step", "epoch")
"""The names of a row that say where in the run it stands; they are not measurements."""


@dataclass(frozen=True)
class RunInfo:
    """What a logger is told before the first row.

    Args:
        folder: the run folder; a logger writes below it and nowhere else.
        config: the config of the run, resolved, as plain dicts, lists and scalars.
        steps: optimizer updates in the whole run.
        steps_per_epoch: updates in one pass over the data.
        samples_per_step: samples in one update.
        resumed_at: the step that the run continues from, None for a new run. The process that was
            killed may have written rows of this step and later ones, and they will be written again:
            when it is opened, a logger forgets every row of ``step >= resumed_at``. That goes for the
            evaluation at rest at this very step too; the trainer repeats what ``metrics.jsonl`` keeps of it.
    """

    folder: Path
    config: Mapping[str, Any]
    steps: int
    steps_per_epoch: int
    samples_per_step: int
    resumed_at: int | None = None


class Logger(ABC):
    """Reads rows. A subclass needs :meth:`write` alone; what it does not need it leaves out.

    The file system may refuse any of these with an OSError; a logger does not catch it.
    """

    def open(self, run: RunInfo) -> None:  # noqa: B027  (most need nothing here)
        """Get ready. Called once, before the first row."""

    @abstractmethod
    def write(self, row: Row) -> None:
        """Take one row. Called between two updates of the training loop, so it must cost next to nothing."""

    def flush(self) -> None:  # noqa: B027
        """Hand over to the system what is still held in memory, so that a killed process loses none of it."""

    def close(self, metrics: Mapping[str, float], status: str = "finished") -> None:  # noqa: B027
        """The run is over.

        Args:
            metrics: the final metrics of ``result.json``; empty where the run failed before it had any.
            status: ``finished``, ``stopped`` or ``failed``.
        """
