"""Jobs handed to a launcher, any launcher, and what became of them."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Sequence

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from lrsched.checkpoint.lock import holder
from lrsched.ended import Ended, ending_of
from lrsched.errors import (
    Abandoned,
    ConfigError,
    NotBegun,
    RunFolderBusy,
    Stopped,
    StorageError,
    UserError,
)
from lrsched.records import RunFolder, write_atomically
from lrsched.runs.resume import finished
from lrsched.runs.steps import stands_at
from lrsched.sweep.launchers.failfast import forget
from lrsched.sweep.launchers.worker import error_of, result_within
from lrsched.sweep.sweep import Planned, Sweep


def make_folder(sweep: Sweep) -> None:
    """Make the sweep's folder, with its config and the jobs that are known.

    Raises:
        ConfigError: there is a run in it.
        StorageError: the file system refused.
    """
    folder = sweep.record.folder
    if RunFolder(folder).holds_a_run():
        raise ConfigError("name", folder.name, f"{folder} holds a single run, not a sweep", "give another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        forget(folder)
        write_atomically(folder / "multirun.yaml", OmegaConf.to_yaml(sweep.config).encode())
        sweep.record.write()
    except OSError as error:
        raise StorageError(f"the sweep's folder {folder} cannot be written: {error.strerror}") from error


def launched(sweep: Sweep, launcher: Launcher, planned: Sequence[Planned]) -> list[JobReturn]:
    """Hand valid jobs to a launcher; ours alone is told of those that are finished, which others would start again.

    A launcher of somebody else's may lose a job with its worker, or be ended by a signal, and then says nothing of
    the others either: what became of them is read from their folders.
    """
    knows = getattr(launcher, "knows_finished", False)
    handed = [one for one in planned if knows or not one.entry.is_done]
    returns, began = list[JobReturn](), time.monotonic()
    try:
        if handed:
            returns = list(launcher.launch([one.handed for one in handed], initial_job_idx=0))
    except (Stopped, SystemExit):  # by a signal, which the stop flag knows, too
        returns = [_left(one, NotBegun("was not begun"), time.monotonic() - began) for one in handed]
    except UserError:
        raise
    except Exception as error:
        traceback.print_exc()
        lost = UserError(f"the launcher failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        returns = [_left(one, lost, time.monotonic() - began) for one in handed]
    for one, back in zip(handed, returns, strict=True):
        if one.entry.status is None:
            done = back.status == JobStatus.COMPLETED
            sweep.close(one, None if done else _why(back))
    return returns


def _left(planned: Planned, error: UserError, seconds: float) -> JobReturn:
    """What became of a job whose launcher was ended, with this error, that many seconds after it got it."""
    folder = planned.folder
    assert folder is not None
    back = JobReturn(overrides=planned.overrides, status=JobStatus.FAILED)
    result, who = result_within(folder, seconds), holder(folder.path)
    reason = str(result.get("reason", ""))
    if finished(folder) or ending_of(result).ended is Ended.PAUSED:
        back.status, back.return_value = JobStatus.COMPLETED, None
    elif who is not None and isinstance(error, NotBegun):
        back.return_value = Abandoned(f"left under way: {who} writes to it")
    elif who is not None:
        back.return_value = RunFolderBusy(f"{error}; {who} writes to it still, and goes on")
    elif ending_of(result).ended is Ended.SIGNAL:
        back.return_value = Stopped(signal.SIGTERM, reason)
    elif not reason and isinstance(error, NotBegun) and folder.holds_a_run():
        back.return_value = Abandoned(f"left at step {stands_at(folder)}")
    else:
        back.return_value = error_of(result) if reason else error
    return back


def _why(back: JobReturn) -> UserError:
    error = back._return_value
    return error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {error}")
