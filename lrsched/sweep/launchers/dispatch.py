"""Submit jobs to any Hydra launcher and collect their outcomes.

``sweep.fail_fast`` holds under every launcher. Other libraries' launchers begin one job after another whatever became
of the first: so a job that does not finish leaves a mark in the sweep's folder, and a job that finds it there does not
begin, also on another machine that shares the folder. The command that begins a sweep takes the mark away.
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
    """A launcher of ours: takes the jobs themselves, and skips finished runs."""

    def launch_jobs(self, sweep: Sweep, jobs: Sequence[Valid]) -> list[JobReturn]:
        """Run the jobs that are not finished; how each ended, in the order given."""
        ...


def make_folder(sweep: Sweep) -> None:
    """Make the sweep's folder, with its config and its known jobs.

    Raises:
        ConfigError: there is a run in it.
        StorageError: the file system refused.
    """
    folder = sweep.record.folder
    if RunFolder(folder).holds_a_run():
        raise ConfigError("name", folder.name, f"{folder} holds a single run, not a sweep", "give another name")
    with storage(f"the sweep's folder {folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).unlink(missing_ok=True)
        write_atomically(folder / "multirun.yaml", OmegaConf.to_yaml(sweep.config).encode())
        sweep.record.write()


@contextmanager
def failing_fast(sweep: Path, wanted: bool) -> Iterator[None]:
    """Run a job within it; if the job fails, no other job begins.

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


def launch(sweep: Sweep, launcher: Launcher, jobs: Sequence[Valid]) -> list[JobReturn]:
    """Hand jobs to a launcher: all of them to ours, only unfinished ones to another library's.

    Another library's launcher may lose a job with its worker, or be ended by a signal, and then says nothing of
    the other jobs either: what became of them is read from their folders.
    """
    ours = isinstance(launcher, JobLauncher)
    due = [job for job in jobs if ours or not job.entry.is_done]
    returns, began = list[JobReturn](), time.monotonic()
    try:
        if isinstance(launcher, JobLauncher):
            returns = launcher.launch_jobs(sweep, due)
        elif due:
            returns = list(launcher.launch([job.launcher_overrides for job in due], initial_job_idx=0))
    except (Stopped, SystemExit):  # by a signal, which the stop flag knows, too
        returns = [_left(job, NotBegun("was not begun"), time.monotonic() - began) for job in due]
    except UserError:
        raise
    except Exception as error:
        traceback.print_exc()
        lost = UserError(f"the launcher failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        returns = [_left(job, lost, time.monotonic() - began) for job in due]
    for job, back in zip(due, returns, strict=True):
        if job.entry.status is None:
            sweep.record_end(job, None if back.status == JobStatus.COMPLETED else _why(back))
    return returns


def _left(job: Valid, error: UserError, seconds: float) -> JobReturn:
    """The outcome of a job whose launcher ended with an error, so many seconds after it got the job."""
    folder = job.folder
    back = JobReturn(overrides=job.overrides, status=JobStatus.FAILED)
    result, who = result_within(folder, seconds), holder(folder.path)
    reason, ended = str(result.get("reason", "")), ending_of(result).ended
    if finished(folder) or ended is Ended.PAUSED:
        back.status, back.return_value = JobStatus.COMPLETED, None
    elif who is not None and isinstance(error, NotBegun):
        back.return_value = Abandoned(f"left under way: {who} writes to it")
    elif who is not None:
        back.return_value = RunFolderBusy(f"{error}; {who} writes to it still, and goes on")
    elif ended is Ended.SIGNAL:
        back.return_value = Stopped(signal.SIGTERM, reason)
    elif not reason and isinstance(error, NotBegun) and folder.holds_a_run():
        back.return_value = Abandoned(f"left at step {stands_at(folder)}")
    else:
        back.return_value = error_of(result) if reason else error
    return back


def _why(back: JobReturn) -> UserError:
    error = back._return_value
    return error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {error}")
