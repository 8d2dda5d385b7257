"""``sweep.csv``: one row a run, for other people's tools."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrsched.config.schema import OPEN
from lrsched.records import write_atomically
from lrsched.report.candidates import RATE, SEED, changes_result, differing
from lrsched.report.runs import RunRecord
from lrsched.shelf import target_name


def write_sweep_csv(folder: Path, runs: Sequence[RunRecord]) -> None:
    """Write ``sweep.csv`` into a sweep's folder, whole or not at all.

    The columns: ``run``, ``status``, the keys swept, ``step``, the final metrics. Keys, metrics and rows are sorted,
    so that the same sweep gives the same file in whatever order its runs ended.

    Raises:
        OSError: the file system refused.
    """
    write_atomically(folder / "sweep.csv", sweep_csv(runs).encode())


def sweep_csv(runs: Sequence[RunRecord]) -> str:
    """The table as text: floats in the shortest form that reads back exactly, empty where there is no value."""
    asked = swept(runs)
    rows = sorted(zip(runs, asked, strict=True), key=lambda row: str(row[0].path))
    keys = sorted({key for entries in asked for key in entries})
    metrics = sorted({name for run in runs for name in run.metrics})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["run", "status", *keys, "step", *metrics])
    for run, entries in rows:
        values = [entries.get(key) for key in keys]
        measured = [run.metrics.get(name) for name in metrics]
        table.writerow([run.path.name, run.status, *map(_cell, values), _cell(run.step), *map(_cell, measured)])
    return text.getvalue()


def swept(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """What each run was asked to do: what its sweep varies, and always schedule, rate and seed."""
    return [_swept(run, entries) for run, entries in zip(runs, _differences(runs), strict=True)]


def _differences(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """What distinguishes each run from the others, and always its schedule, rate and seed; empty without a config."""
    parts = [{key: value for key, value in run.config.items() if changes_result(key)} for run in runs if run.config]
    found = iter(differing(parts, always=("scheduler._target_", RATE, SEED)))
    return [next(found) if run.config else {} for run in runs]


def _swept(run: RunRecord, differences: dict[str, Any]) -> dict[str, Any]:
    """What a run was asked to do: its overrides where the sweep lists them, and what differs in its config.

    A class has the name that chooses it, and its group the key: ``scheduler``, not ``scheduler._target_``.
    """
    entries: dict[str, Any] = {}
    for override in run.overrides:
        key, _, given = override.lstrip("+~").partition("=")
        if changes_result(key):
            several = f"{entries[key]} {given}" if key in entries else given  # a mapping may be added to
            entries[key] = run.config.get(key, several)
    for key, value in differences.items():
        group = key.removesuffix("._target_")
        if group in OPEN:
            entries.setdefault(group, target_name(str(value)))
        else:
            entries[key] = value
    return entries


def _cell(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
