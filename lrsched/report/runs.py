"""Runs, how each of them ended, and what they measured: the values that a report is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrsched.records import RunFolder, read_rows
from lrsched.report.flat import Flat

DROPPED = "ranked"
"""How the reason begins for which successive halving leaves a run where it is."""


@dataclass(frozen=True)
class Run:
    """One run, or one that was to be.

    Args:
        path: its folder.
        config: dotted keys and their values, as composed; empty where there is none that can be read.
        status: ``finished``, ``failed`` or ``stopped`` as it or its sweep says; ``unfinished``: it is running, or was
            killed; ``waiting``: its sweep has not begun it; ``broken``: its files cannot be read, or do not belong
            together; ``missing``: a job of a sweep that is not there, and nothing says why.
        reason: why, in words.
        step: completed updates, None where unknown.
        metrics: at its end; None for a value that was not finite.
        overrides: those of the sweep's job, as typed.
    """

    path: Path
    config: Flat
    status: str
    reason: str = ""
    step: int | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Its rows, as far as they can be read: what is damaged measured nothing."""
        try:
            yield from read_rows(RunFolder(self.path).metrics)
        except (OSError, ValueError):
            return

    @property
    def finished(self) -> bool:
        return self.status == "finished"

    @property
    def diverged(self) -> bool:
        """Whether a loss, a gradient or a metric was not finite: an answer too, and the worst."""
        if self.finished:
            return any(value is None for value in self.metrics.values())
        return self.status == "failed" and self.reason.startswith("NotFinite")

    @property
    def end(self) -> str:
        """How it ended, in one word: its status, or ``diverged``."""
        return "diverged" if self.diverged else self.status

    @property
    def dropped(self) -> bool:
        """Whether a sweep left it behind, because others had come further with as many steps."""
        return self.status == "stopped" and self.reason.startswith(DROPPED)

    @property
    def decided(self) -> bool:
        """Whether its outcome is known: it finished, or diverged."""
        return self.finished or self.diverged


def ends(runs: Sequence[Run]) -> Counter[str]:
    """How many runs ended in which way."""
    return Counter(run.end for run in runs)
