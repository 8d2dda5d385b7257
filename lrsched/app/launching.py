"""Jobs handed to a launcher, any launcher, and what became of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from lrsched.app.isolated import paused, result_within
from lrsched.app.resume import finished
from lrsched.app.sweep import Planned, Sweep
from lrsched.app.terminal import terminal
from lrsched.checkpoint.lock import holder
from lrsched.errors import ConfigError, Incomplete, RunFolderBusy, StorageError, UserError
from lrsched.loggers.out import tell
from lrsched.records import write_atomically
from lrsched.signals import StopFlag
from lrsched.sweep.record import Entry


def make_folder(sweep: Sweep) -> None:
    """Make the sweep's folder, with its config and the jobs that are known.

    Raises:
        StorageError: the file system refused.
    """
    folder = sweep.record.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "multirun.yaml", OmegaConf.to_yaml(sweep.config).encode())
        sweep.record.write()
    except OSError as error:
        raise StorageError(f"the sweep's folder {folder} cannot be written: {error.strerror}") from error


def launched(sweep: Sweep, launcher: Launcher, planned: Sequence[Planned]) -> list[JobReturn]:
    """Hand valid jobs to a launcher; ours alone is told of those that are finished, which others would start again.

    A launcher of somebody else's may lose a job with its worker, and then says nothing of the others either:
    what became of them is read from their folders.
    """
    knows = getattr(launcher, "knows_finished", False)
    handed = [one for one in planned if knows or not one.entry.is_done]
    sweep.open(handed)
    returns, began = list[JobReturn](), time.monotonic()
    try:
        if handed:
            returns = list(launcher.launch([one.handed for one in handed], initial_job_idx=0))
    except UserError:
        raise
    except Exception as error:
        traceback.print_exc()
        lost = UserError(f"the launcher failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        returns = [_lost(one, lost, time.monotonic() - began) for one in handed]
    for one, back in zip(handed, returns, strict=True):
        if one.entry.status is None:
            done = back.status == JobStatus.COMPLETED
            sweep.close(one, None if done else _why(back), paused(one.folder) if done and one.folder else "")
    return returns


def close(sweep: Sweep, stop: StopFlag) -> None:
    """Record how all ended, compare what ended well, and say by an error what did not.

    Raises:
        Incomplete: a run did not finish; the others did.
        Stopped: by a signal; the runs that were under way are saved.
    """
    if sweep.record.folder.is_dir():
        sweep.record.write()
        _compare(sweep.record.folder)
    conclude(sweep.record.entries, stop)


def conclude(entries: Sequence[Entry], stop: StopFlag) -> None:
    """End a sweep: nothing where all runs are done, else an error with the exit code that says so."""
    stop.check()
    undone = [entry for entry in entries if not entry.is_done]
    if undone:
        raise Incomplete(len(undone), len(entries), all_invalid=all(entry.exit_code == 2 for entry in entries))


def _compare(folder: Path) -> None:
    """Leave the numbers of all runs in ``sweep.csv``, and say which schedule won, or that none did."""
    from lrsched.report import sweep_table, write_sweep_csv
    from lrsched.report.disk import read_runs

    with suppress(ConfigError):  # there is no run to speak of
        write_sweep_csv(folder, read_runs([folder]))
        tell(sweep_table(folder, *terminal()).removesuffix("\n"))


def _lost(planned: Planned, error: UserError, seconds: float) -> JobReturn:
    """What became of a job whose launcher failed that many seconds after it got it."""
    folder = planned.folder
    assert folder is not None
    back = JobReturn(overrides=planned.overrides, status=JobStatus.FAILED)
    reason, who = result_within(folder, seconds).get("reason"), holder(folder.path)
    if finished(folder):
        back.status, back.return_value = JobStatus.COMPLETED, None
    elif who is not None:
        back.return_value = RunFolderBusy(f"{error}; {who} writes to it still, and goes on")
    else:
        back.return_value = UserError(str(reason)) if reason else error
    return back


def _why(back: JobReturn) -> UserError:
    error = back._return_value
    return error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {error}")
