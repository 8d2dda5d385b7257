"""Submit jobs to any Hydra launcher and collect their outcomes.

``sweep.fail_fast`` holds under every launcher. Other libraries' launchers start all jobs even if one fails: so a failed
job leaves a mark in the sweep's folder, and a job that finds the mark does not begin, even on another machine that
shares the folder. Each command that starts a sweep first removes the mark.
"""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from lrsched.checkpoint.lock import holder
from lrsched.ended import Ended, ending_of
from lrsched.errors import Abandoned, ConfigError, NotBegun, RunFolderBusy, Stopped, UserError, storage
from lrsched.records import RunFolder, write_atomically
from lrsched.runs.resume import finished
from lrsched.runs.steps import stands_at
from lrsched.sweep.launchers.worker import error_of, result_within
from lrsched.sweep.sweep import Sweep, Valid

MARK = ".failed"


@runtime_checkable
class JobLauncher(Protocol):
    """A launcher of ours: takes the jobs themselves, skips finished runs, and records how each job ended."""

    def launch_jobs(self, sweep: Sweep, jobs: Sequence[Valid]) -> None:
        """Run the jobs that are not finished."""
        ...


def make_folder(sweep: Sweep) -> None:
    """Make the sweep's folder, with its config and its known jobs.

    Raises:
        ConfigError: it holds a single run, or runs of other data.
        StorageError: the file system refused.
    """
    folder = sweep.record.folder
    if RunFolder(folder).holds_a_run():
        raise ConfigError("name", folder.name, f"{folder} holds a single run, not a sweep", "give another name")
    sweep.refuse_other_data()
    with storage(f"the sweep's folder {folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).unlink(missing_ok=True)
        write_atomically(folder / "multirun.yaml", OmegaConf.to_yaml(sweep.config).encode())
        sweep.record.write()


@contextmanager
def failing_fast(sweep: Path, wanted: bool) -> Iterator[None]:
    """A context for one job: if the job fails, no other job begins.

    Args:
        sweep: the folder.
        wanted: ``sweep.fail_fast``; otherwise this does nothing.

    Raises:
        NotBegun: another job did not finish.
    """
    if wanted and (sweep / MARK).exists():
        raise NotBegun("was not begun: sweep.fail_fast")
    try:
        yield
    except UserError:
        if wanted:
            (sweep / MARK).touch()
        raise


def hand_over(sweep: Sweep, launcher: Launcher | JobLauncher, jobs: Sequence[Valid]) -> None:
    """Hand jobs to a launcher, and record how each ended: all jobs to ours, unfinished ones to another library's.

    Another library's launcher may lose a job with its worker, or be ended by a signal, and then reports no outcome
    of the other jobs either: their outcomes are read from their folders.
    """
    due = [job for job in jobs if not job.entry.is_done]
    began = time.monotonic()
    try:
        if isinstance(launcher, JobLauncher):
            launcher.launch_jobs(sweep, jobs)
            return
        returns = launcher.launch([job.launcher_overrides for job in due], initial_job_idx=0) if due else []
        errors = [None if back.status == JobStatus.COMPLETED else _as_user_error(back) for back in returns]
    except (Stopped, SystemExit):  # by a signal, which has raised the stop flag, too
        errors = [_left(job, NotBegun("was not begun"), time.monotonic() - began) for job in due]
    except UserError:
        raise
    except Exception as error:
        traceback.print_exc()
        lost = UserError(f"the launcher failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        errors = [_left(job, lost, time.monotonic() - began) for job in due]
    for job, error in zip(due, errors, strict=True):
        if job.entry.status is None:
            sweep.record_end(job, error)


def _left(job: Valid, error: UserError, seconds: float) -> UserError | None:
    """Why a job did not finish whose launcher ended with an error, so many seconds after it got the job."""
    folder = job.folder
    result, who = result_within(folder, seconds), holder(folder.path)
    reason, ended = str(result.get("reason", "")), ending_of(result).ended
    if finished(folder) or ended is Ended.PAUSED:
        return None
    if who is not None:
        if isinstance(error, NotBegun):
            return Abandoned(f"left running: {who} writes to it")
        return RunFolderBusy(f"{error}; {who} still runs it")
    if ended is Ended.SIGNAL:
        return Stopped(signal.SIGTERM, reason)
    if reason:
        return error_of(result)
    if isinstance(error, NotBegun) and folder.holds_a_run():
        return Abandoned(f"left at step {stands_at(folder)}")
    return error


def _as_user_error(back: JobReturn) -> UserError:
    error = back._return_value
    return error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {error}")
