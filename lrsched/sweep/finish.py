"""The end of a sweep: what is on record, the comparison of what ended well, and an error for what did not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from lrsched.console import tell, terminal
from lrsched.errors import CheckpointError, ConfigError, Incomplete
from lrsched.signals import StopFlag
from lrsched.sweep.record import Entry
from lrsched.sweep.sweep import Sweep


def close(sweep: Sweep, stop: StopFlag) -> None:
    """Record how all ended, compare what ended well, and say by an error what did not.

    Raises:
        Incomplete: a run did not finish; the others did.
        Stopped: by a signal; the runs that were under way are saved.
    """
    if sweep.record.folder.is_dir():
        _compare(sweep)
        sweep.record.write()
    conclude(sweep.record.entries, stop)


def conclude(entries: Sequence[Entry], stop: StopFlag) -> None:
    """End a sweep: nothing where all runs are done, else an error with the exit code that says so."""
    stop.check()
    undone = [entry for entry in entries if not entry.is_done]
    if undone:
        raise Incomplete(len(undone), len(entries), all_invalid=all(entry.exit_code == 2 for entry in entries))


def _compare(sweep: Sweep) -> None:
    """Leave the numbers of all runs in ``sweep.csv``, and say which schedule won, or that none did.

    A run whose files turn out to be damaged is not done, although it was once.
    """
    from lrsched.report import sweep_table, write_sweep_csv
    from lrsched.report.read import read_runs

    folder = sweep.record.folder
    sweep.record.write()  # the report reads it
    with suppress(ConfigError):  # there is no run to speak of
        runs = read_runs([folder])
        lost = {os.path.relpath(run.path, folder): run.reason for run in runs if run.status == "broken"}
        for entry in sweep.record.entries:
            if entry.is_done and entry.run_id in lost:
                entry.record_end(CheckpointError(lost[entry.run_id]))
        write_sweep_csv(folder, runs)
        tell(sweep_table(folder, *terminal()).removesuffix("\n"))
