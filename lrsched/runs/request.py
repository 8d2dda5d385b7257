"""A run request, and the exclusive claim to its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from lrsched.checkpoint.lock import RunLock
from lrsched.compose.nodes import as_written, to_yaml
from lrsched.config.targets import needed_trust
from lrsched.console import path_override, typed
from lrsched.errors import ConfigError, RunFolderBusy, storage
from lrsched.ranks.place import ONLY, Place
from lrsched.records import RunFolder, write_atomically
from lrsched.runs.context import WorkerContext

if TYPE_CHECKING:
    from omegaconf import DictConfig

LOCK = ".lock"


@dataclass(frozen=True)
class RunRequest:
    """A run to make, or the rest of one.

    Args:
        folder: of the run.
        config: of this run, not resolved.
        kept: the config to store for the next command; None: ``config``.
        resume: go on from the newest valid checkpoint.
        changed: write the stored config anew.
        numbered: the name is a default: if it is taken, add a number to it.
        context: resources of its sweep.
        place: of this process among those of the run.
    """

    folder: RunFolder
    config: DictConfig
    kept: DictConfig | None = None
    resume: bool = False
    changed: bool = False
    numbered: bool = False
    context: WorkerContext = field(default_factory=WorkerContext)
    place: Place = ONLY

    @property
    def again(self) -> Callable[[str], str]:
        """How to ask for this run by some words, as one types it."""
        return asking(self.context, self.config)


def asking(context: WorkerContext, config: DictConfig) -> Callable[[str], str]:
    """How to ask for a run of this config by some words, as one types it: with the trust that its classes need."""
    return context.again or partial(typed, trust=needed_trust(as_written(config)))


def claim(request: RunRequest) -> tuple[RunRequest, RunLock]:
    """Make the folder of a new run and lock it.

    If two processes start runs of one name, the kernel gives the lock to one of them. Only the holder checks whether
    the folder already holds a run, so no run overwrites another.

    Returns:
        The request, with the folder claimed, and the lock, held.

    Raises:
        RunFolderBusy: another process has just begun a run of this name.
        ConfigError: there is a run of this name.
        StorageError: the folder cannot be made.
    """
    folder, again = request.folder, 1
    while True:
        with storage(f"the run folder {folder} cannot be made"):
            folder.path.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder.path)
        try:
            lock.acquire()
            if not taken(folder):
                return replace(request, folder=folder), lock
            lock.release()
            if not request.numbered:
                raise already_there(folder, request.again)
        except RunFolderBusy:
            if not request.numbered:
                raise
        again += 1
        folder = RunFolder(request.folder.path.with_name(f"{request.folder.path.name}-{again}"))


def taken(folder: RunFolder) -> bool:
    """Whether a folder holds more than a lock and the half-written files of a killed start."""
    if not folder.path.is_dir():
        return folder.path.exists()
    return any(path.name != LOCK and not path.name.endswith(".tmp") for path in folder.path.iterdir())


def already_there(folder: RunFolder, again: Callable[[str], str]) -> ConfigError:
    """The error of a start whose name is taken."""
    return ConfigError(
        "name",
        folder.path.name,
        f"{folder} already holds a run",
        f"give another name, or continue it: {again(path_override('resume', folder.path))}",
    )


def write_config(request: RunRequest) -> None:
    """Write the config, the first file of a run folder: a folder with a config holds a run."""
    config = request.config if request.kept is None else request.kept
    with storage(f"the run folder {request.folder} cannot be written"):
        write_atomically(request.folder.config, to_yaml(config).encode())
