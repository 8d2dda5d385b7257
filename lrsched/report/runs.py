"""What is known of a run: its config, how it ended, what it measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrsched.config.walk import Flat
from lrsched.ended import Ended, Why
from lrsched.records import RunFolder, read_rows


@dataclass(frozen=True)
class RunRecord:
    """One run, or a job of a sweep that left none.

    Args:
        path: its folder.
        config: dotted keys and values, as composed; empty if it cannot be read.
        status: ``finished``, ``failed`` or ``stopped`` as it or its sweep says; ``unfinished``: it is running, or was
            killed; ``waiting``: its sweep has not begun it; ``broken``: its files cannot be read, or do not belong
            together; ``missing``: a job of a sweep that left no run, for no known reason.
        reason: why, in words.
        ended, why: the same as fields; None where nothing says so.
        step: completed updates, None where unknown.
        metrics: final ones; None for a value that was not finite.
        overrides: of the sweep's job, as typed.
        better: ``min`` or ``max`` for each metric of its task, as ``accuracy``; empty without a result.
        units: of these metrics, of those that have one.
    """

    path: Path
    config: Flat
    status: str
    reason: str = ""
    ended: Ended | None = None
    why: Why | None = None
    step: int | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    better: Mapping[str, str] = field(default_factory=dict[str, str])
    units: Mapping[str, str] = field(default_factory=dict[str, str])

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The rows of ``metrics.jsonl``, up to the first damaged one."""
        try:
            yield from read_rows(RunFolder(self.path).metrics)
        except (OSError, ValueError):
            return

    @property
    def finished(self) -> bool:
        return self.status == "finished"

    @property
    def diverged(self) -> bool:
        """Whether it ended as ``Ended.DIVERGED`` or finished with a metric that is not finite: the worst outcome."""
        if self.finished:
            return any(value is None for value in self.metrics.values())
        return self.ended is Ended.DIVERGED

    @property
    def end(self) -> str:
        """Its status, or ``diverged``."""
        return "diverged" if self.diverged else self.status

    @property
    def dropped(self) -> bool:
        """Whether successive halving dropped it: others were better after as many steps."""
        return self.why is Why.DROPPED

    @property
    def paused(self) -> bool:
        """Whether its sweep left it before its end, at ``sweep.until`` or where a study pruned it."""
        return self.why is Why.PAUSED

    @property
    def decided(self) -> bool:
        """Whether it has an outcome: it finished, or diverged."""
        return self.finished or self.diverged


def count_ends(runs: Sequence[RunRecord]) -> Counter[str]:
    """How many runs ended in each way."""
    return Counter(run.end for run in runs)
