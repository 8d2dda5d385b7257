"""What is known of a run: its config, how it ended, what it measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from lrsched.config.walk import Flat
from lrsched.ended import Ended, Why
from lrsched.errors import CheckpointError
from lrsched.numbers import number
from lrsched.records import AVERAGE, ENSEMBLE, RunFolder, read_metrics

USED = "used/"
"""Stands between the part and the name of a metric of the weights that a run uses: their average where it has one."""

T = TypeVar("T")


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
        data: the hash of its data; None without a result, or one of 0.1.0.
        uses_average: its rows tell ``val/used/NAME`` too: of the average where it has one.
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
    data: str | None = None
    uses_average: bool = False

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The numbers in the rows of ``metrics.jsonl``, up to the first damaged one."""
        try:
            for found in read_metrics(RunFolder(self.path).metrics):
                row = {name: value for name, value in found.items() if number(value) is not None}
                yield {**row, **used(row)} if self.uses_average else row
        except (OSError, CheckpointError):
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


def used(row: Mapping[str, T]) -> dict[str, T]:
    """The metrics in a row, of the weights that are used.

    >>> used({"step": 3, "val/loss": 0.5, "val/average/loss": 0.25, "test/loss": 1.0})
    {'val/used/loss': 0.25, 'test/used/loss': 1.0}
    """
    found: dict[str, T] = {}
    for whole, value in row.items():
        part, _, name = whole.partition("/")
        if part in ("val", "test") and name and is_plain(name):
            found[f"{part}/{USED}{name}"] = row.get(f"{part}/{AVERAGE}{name}", value)
    return found


def is_plain(name: str) -> bool:
    """Whether a metric is of the weights themselves."""
    return not name.startswith((AVERAGE, ENSEMBLE, USED))


def with_used(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs, with ``val/used/loss`` beside ``val/loss`` and ``val/average/loss`` where their averages differ."""
    averages = {
        frozenset((k, v) for k, v in run.config.items() if k.startswith("average.")) for run in runs if run.config
    }
    if len(averages) < 2:
        return list(runs)
    return [
        replace(
            run,
            metrics={**run.metrics, **used(run.metrics)},
            better={**run.better, **{f"{USED}{name}": way for name, way in run.better.items() if is_plain(name)}},
            uses_average=True,
        )
        for run in runs
    ]


def count_ends(runs: Sequence[RunRecord]) -> Counter[str]:
    """How many runs ended in each way."""
    return Counter(run.end for run in runs)
