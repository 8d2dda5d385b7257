"""Tables of the page: candidates as in the terminal, all runs, what did not finish, what differs between configs."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrsched.report.candidates import differing, target_name
from lrsched.report.columns import TableColumn, all_columns
from lrsched.report.compare import Comparison
from lrsched.report.format import value
from lrsched.report.report import Report
from lrsched.report.runs import RunRecord
from lrsched.units import shown, unit_of

NUMBER = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+")

QUIET = "hydra.run.dir=. hydra.output_subdir=null hydra/job_logging=none"
"""Words that keep Hydra from writing files."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: what it shows.
        key: what it is sorted by: a number as text, or empty for what has none, which comes last.
    """

    text: str
    key: str = ""


@dataclass(frozen=True)
class Place:
    """Where a run stands in the comparison: the numbers of its workload and candidate, and its rate; or nowhere."""

    workload: int
    candidate: int
    lr: Any


@dataclass(frozen=True)
class RunRow:
    """A run in the table of all runs."""

    number: int
    run: RunRecord
    place: Place | None
    name: str
    seed: Any
    lr: Any
    value: Cell
    command: str

    @property
    def label(self) -> str:
        """The name of its folder."""
        return self.run.path.name


def candidates(comparison: Comparison) -> tuple[list[TableColumn], list[list[Cell]]]:
    """All columns of the terminal's table but the one that marks the best, and its rows."""
    columns = [column for column in all_columns(comparison) if column.title]
    rows = zip(*(column.cells for column in columns), strict=True)
    return columns, [
        [Cell(text, "" if column.text else _key(text)) for column, text in zip(columns, row, strict=True)]
        for row in rows
    ]


def runs(report: Report) -> list[RunRow]:
    """All runs, in the order of the report."""
    places = _places(report)
    found = []
    for number, run in enumerate(report.runs):
        place = places.get(id(run))
        comparison = report.comparisons[place.workload] if place else None
        name = comparison.candidates[place.candidate].name if comparison and place else ""
        unit = unit_of(report.metric.name, run.units)
        final = run.metrics.get(report.metric.name) if report.metric.name in run.metrics else None
        text = "diverged" if final is None and run.diverged else value(unit, final)
        cell = Cell(text, "" if final is None or not math.isfinite(final) else repr(final))
        lr = place.lr if place else run.config.get("optimizer.lr", "")
        found.append(RunRow(number, run, place, name, run.config.get("seed", ""), lr, cell, command(run)))
    return found


def command(run: RunRecord) -> str:
    """The command that makes a run again, from the config that it was started with; empty where that is not known.

    From the folder in which the report was asked for. Words are quoted for a shell. A run's config holds nothing of
    Hydra's, which would write a folder of its own.
    """
    if not run.config:
        return ""
    folder = os.path.normpath(run.path)
    quoted = shlex.quote(folder) if os.path.isabs(folder) else f'"$PWD"/{shlex.quote(folder)}'
    again = re.sub(r"[^A-Za-z0-9._-]", "-", run.path.name).lstrip("._-")[:90] or "run"
    return f"lrsched train --config-path {quoted} --config-name config name={again}-again {QUIET}"


def so_far(run: RunRecord, report: Report) -> str:
    """What a run that did not finish had reached."""
    name = report.metric.chosen_by
    number = run.metrics.get(name)
    if number is None or not math.isfinite(number):
        return ""
    return f"{name} {shown(unit_of(name, run.units), number)}"


def differences(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The keys that differ between the candidates, and the values of each; none if the name of the class says all."""
    entries = differing([row.entries for row in comparison.candidates], always=("scheduler._target_",))
    keys = list(dict.fromkeys(key for one in entries for key in one))
    if set(keys) <= {"scheduler._target_"}:
        return [], []
    rows = [
        [row.name, *(_entry(one, key) for key in keys)] for row, one in zip(comparison.candidates, entries, strict=True)
    ]
    return [key.removesuffix("._target_") for key in keys], rows


def same(report: Report) -> list[tuple[str, str]]:
    """The keys and values that all runs share."""
    configs = [run.config for run in report.runs if run.config]
    if not configs:
        return []
    shared = list(configs[0].items())
    for config in configs[1:]:
        shared = [(key, value) for key, value in shared if key in config and config[key] == value]
    return [(key, _plain(key, value)) for key, value in shared]


def _entry(entries: Mapping[str, Any], key: str) -> str:
    return _plain(key, entries[key]) if key in entries else ""


def _plain(key: str, value: Any) -> str:
    if key.endswith("._target_") and key.count(".") == 1:
        return target_name(str(value))
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _places(report: Report) -> dict[int, Place]:
    return {
        id(run): Place(w, c, rate.lr)
        for w, comparison in enumerate(report.comparisons)
        for c, row in enumerate(comparison.candidates)
        for rate in row.rates
        for run in rate.runs.values()
    }


def _key(text: str) -> str:
    """The number with which a cell begins; empty where it says that runs diverged."""
    found = NUMBER.match(text)
    return "" if found is None or "diverged" in text else found.group().replace(",", "").replace("−", "-")


def spread_over(rows: Sequence[RunRow]) -> dict[tuple[int, int], list[RunRow]]:
    """The runs of each candidate at its places, by the numbers of workload and candidate."""
    found: dict[tuple[int, int], list[RunRow]] = {}
    for row in rows:
        if row.place:
            found.setdefault((row.place.workload, row.place.candidate), []).append(row)
    return found
