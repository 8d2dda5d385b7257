"""End a sweep: complete its record, compare its runs, and raise an error if one did not finish."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.compose.nodes import raw
from lrsched.console import say, tell, terminal
from lrsched.errors import CheckpointError, ConfigError, Incomplete, Stopped
from lrsched.imports import collector_at_rest
from lrsched.page import write_page
from lrsched.records import RunFolder
from lrsched.signals import StopFlag
from lrsched.sweep.sweep import Sweep

if TYPE_CHECKING:
    from lrsched.report.report import Report
    from lrsched.report.runs import RunRecord


def close(sweep: Sweep, stop: StopFlag) -> None:
    """Record how every run ended, compare those that finished, and raise an error if one did not.

    Raises:
        Incomplete: a run did not finish; the others did.
        Stopped: by a signal; the runs that were under way are saved.
    """
    if sweep.record.folder.is_dir():
        with collector_at_rest():
            report = _compare(sweep)
            sweep.record.write()
            if report is not None:
                write_page(sweep.record.folder, report)  # after the record, which it shows
    stop.check()
    entries = sweep.record.entries
    undone = [entry for entry in entries if not entry.is_done]
    if undone:
        begun = [entry for entry in entries if RunFolder(sweep.record.folder / entry.run_id).holds_a_run()]
        all_invalid = not begun and all(entry.exit_code == ConfigError.exit_code for entry in entries)
        raise Incomplete(len(undone), len(entries), all_invalid=all_invalid)


def _compare(sweep: Sweep) -> Report | None:
    """Write ``sweep.csv`` and print the comparison; None where there is no run.

    A run whose files are damaged is no longer done.
    """
    from lrsched.report import render, write_sweep_csv
    from lrsched.report.read import read_runs
    from lrsched.report.report import compare_runs

    folder = sweep.record.folder
    sweep.record.write(unless_same=True)  # the report reads it
    with suppress(ConfigError):  # the report finds no run
        runs = read_runs([folder])
        lost = {os.path.relpath(run.path, folder): run.reason for run in runs if run.status == "broken"}
        for entry in sweep.record.entries:
            if entry.is_done and entry.run_id in lost:
                entry.record_end(CheckpointError(lost[entry.run_id]))
        write_sweep_csv(folder, runs)
        _write_columns(folder, runs)
        report = compare_runs(runs)
        tell(render(report, *terminal()).removesuffix("\n"))
        return report
    return None


def _write_columns(folder: Path, runs: Sequence[RunRecord]) -> None:
    """Write what TensorBoard's table of hyperparameters shows of the sweep. A fault is said, and changes nothing."""
    try:
        _columns(folder, runs)
    except Exception as error:
        say(f"warning: TensorBoard's table of {folder} was not written ({type(error).__name__}: {error})")


def _columns(folder: Path, runs: Sequence[RunRecord]) -> None:
    """The columns of the runs that have events."""
    written = [run for run in runs if run.config and os.path.isdir(f"{run.path}/tensorboard")]
    if written:
        from lrsched.compose.hyperparameters import hyperparameters
        from lrsched.loggers.tensorboard import write_columns
        from lrsched.report.tables.sweep_csv import swept

        better = {name: way for run in written for name, way in run.better.items()}
        monitor = str(written[0].config.get("checkpoint.monitor"))
        asked = swept(written)
        varied = {key for entries in asked for key in entries if len({entry.get(key) for entry in asked}) > 1}
        write_columns(folder, [hyperparameters(run.config) for run in written], varied, better, monitor)


@contextmanager
def hinting(sweep: Sweep) -> Iterator[None]:
    """Tell the user how to finish a sweep that was interrupted, or in which a run did not finish."""
    try:
        yield
    except (Stopped, Incomplete) as error:
        undone = [entry for entry in sweep.record.entries if not entry.is_done]
        left = [entry for entry in undone if entry.repeatable]
        stuck = sum(not entry.repeatable and entry.exit_code != ConfigError.exit_code for entry in undone)
        if stuck and isinstance(error, Incomplete):
            which = "" if stuck == len(undone) else f" for {stuck} of them"
            error.hint += f"; the same command cannot help{which}: the reason of each stands above"
        if left and sweep.record.folder.is_dir():
            name = str(sweep.config.name)
            named = "" if raw(sweep.config, "name") == name else f" with name={name}"
            error.hint = f"; the same command{named} goes on with what is left"
        raise
