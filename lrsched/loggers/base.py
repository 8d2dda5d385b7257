"""Logger, the base class, and RunInfo, its description of the run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, float | int | str]
"""One row of ``metrics.jsonl``: ``step`` and ``epoch`` say where, the other names say what."""

POSITION = ("step", "epoch")
"""The names in a row that locate it in the run; they are not measurements."""


@dataclass(frozen=True)
class RunInfo:
    """Facts about the run, for loggers.

    Args:
        folder: the run folder; a logger writes below it, and elsewhere only where its user says so.
        config: the config of the run, resolved, as plain dicts, lists and scalars.
        steps: optimizer updates in the whole run.
        steps_per_epoch: updates in one pass over the data.
        samples_per_step: samples in one update.
        resumed_at: the step that the run continues from, None for a new run. A killed process may
            have written rows from this step on, and the run will write them again: on opening, a logger
            drops every row of ``step >= resumed_at``. This includes the evaluation at rest at this very
            step, whose row the trainer repeats from ``metrics.jsonl``.
        epochs: passes over the data in the whole run; None: steps / steps_per_epoch.
        better: ``min`` or ``max`` for each metric of the task, as ``accuracy``: which way it is better.
        units: of these metrics, of those that have one: ``%`` for a fraction, or a word.
        group: the name of the sweep that the run belongs to, or None.
        hyperparameters: what shapes the result, by name; choices by their YAML's name.
        phases: of the schedule's plan: the first step of each, and its name; empty where the curve is not known.
    """

    folder: Path
    config: Mapping[str, Any]
    steps: int
    steps_per_epoch: int
    samples_per_step: int
    resumed_at: int | None = None
    epochs: float | None = None
    better: Mapping[str, str] = field(default_factory=dict[str, str])
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    group: str | None = None
    hyperparameters: Mapping[str, bool | int | float | str] = field(default_factory=dict[str, Any])
    phases: Sequence[tuple[int, str]] = ()


class Logger(ABC):
    """Reads rows. A subclass must define :meth:`write`; the other methods are optional.

    Do not catch an OSError of the file system: the run reports it.
    """

    def open(self, run: RunInfo) -> None:  # noqa: B027  (most need nothing here)
        """Get ready. Called once, before the first row."""

    @abstractmethod
    def write(self, row: Row) -> None:
        """Log one row. Called between two updates, so it must cost next to nothing."""

    def show(self, step: int, name: str, content: bytes | str) -> None:  # noqa: B027
        """Log a picture or a text that the task shows of an evaluation.

        Args:
            step: of the evaluation.
            name: in letters, digits and dashes.
            content: a PNG file, or text.
        """

    @property
    def look(self) -> str:
        """How to look at what was logged, as one types it; empty: there is no command for it."""
        return ""

    def flush(self) -> None:  # noqa: B027
        """Hand buffered rows to the system, so that a killed process loses none."""

    def saved(self, step: int) -> None:  # noqa: B027
        """Note that a checkpoint at this step is on disk: what was logged until now is never taken back."""

    def close(self, metrics: Mapping[str, float], status: str = "finished") -> None:  # noqa: B027
        """End the log.

        Args:
            metrics: the final metrics of ``result.json``, and ``best/NAME`` for those of its best evaluation; empty if
                the run failed before it had any.
            status: ``finished``, ``stopped`` or ``failed``.
        """
