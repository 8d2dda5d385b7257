"""What is to be done, and in which folder; and who may write there: one process at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from omegaconf import DictConfig

from lrsched.checkpoint import RunLock
from lrsched.console import command
from lrsched.errors import ConfigError, RunFolderBusy, StorageError
from lrsched.records import RunFolder
from lrsched.runs.context import WorkerContext

LOCK = ".lock"


@dataclass(frozen=True)
class Job:
    """One run, or the rest of one.

    Args:
        folder: of the run.
        config: what it is made with, not resolved.
        kept: what is kept of it for the next command, where that is not the same.
        resume: from the newest valid checkpoint.
        changed: the stored config is to be written anew.
        numbered: the name is ours and not the user's: where it is taken, the next one will do.
        context: what its sweep lends it.
    """

    folder: RunFolder
    config: DictConfig
    kept: DictConfig | None = None
    resume: bool = False
    changed: bool = False
    numbered: bool = False
    context: WorkerContext = field(default_factory=WorkerContext)


def claim(job: Job) -> tuple[Job, RunLock]:
    """Make the folder of a run that starts, and become its only writer.

    Two starts of one name: the kernel lets one of them have the lock, and only who has it looks whether
    there is a run already, so that no run is ever begun over another.

    Returns:
        The job, in the folder that it got, and the lock, held.

    Raises:
        RunFolderBusy: another process has just begun a run of this name.
        ConfigError: there is a run of this name.
        StorageError: the folder cannot be made.
    """
    folder, again = job.folder, 1
    while True:
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the run folder {folder} cannot be made: {error.strerror}") from error
        lock = RunLock(folder.path)
        try:
            lock.acquire()
            if not taken(folder):
                return replace(job, folder=folder), lock
            lock.release()
            if not job.numbered:
                raise already_there(folder)
        except RunFolderBusy:
            if not job.numbered:
                raise
        again += 1
        folder = RunFolder(job.folder.path.with_name(f"{job.folder.path.name}-{again}"))


def taken(folder: RunFolder) -> bool:
    """Whether a folder holds anything but a lock and what a killed start left half-written."""
    if not folder.path.is_dir():
        return folder.path.exists()
    return any(path.name != LOCK and not path.name.endswith(".tmp") for path in folder.path.iterdir())


def already_there(folder: RunFolder) -> ConfigError:
    """What a start is told whose name is taken."""
    return ConfigError(
        "name",
        folder.path.name,
        f"{folder} already holds a run",
        f"give another name, or continue it: {command()} resume={folder}",
    )
