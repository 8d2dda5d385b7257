"""The function that Hydra calls with a composed config: which run is meant, and that run made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.checkpoint import RunLock
from lrsched.cli.hydra_setup import register
from lrsched.compose.errors import as_user_error
from lrsched.compose.nodes import plain, put
from lrsched.compose.stored import check_folder
from lrsched.config.check import settings
from lrsched.console import forgive_readers, say
from lrsched.errors import Stopped, StorageError, UserError
from lrsched.records import RunFolder, check_name
from lrsched.runs.auto_resume import AUTO, newest_unfinished
from lrsched.runs.request import Job, already_there, taken
from lrsched.runs.resume import continued, finished, run_folder, say_finished, stored
from lrsched.signals import stop_flag
from lrsched.sweep.launchers import worker as isolated
from lrsched.sweep.launchers.failfast import failing_fast

PATIENCE = 10.0
"""Seconds that a job waits for a run that is in use: where a sweep was killed, its jobs are still saving."""


class _ConfigRunner:
    """Make the run of a composed config, alone or as a job of a sweep. Hydra calls it.

    It is an object and no function because other launchers pickle it for processes of their own: there Hydra has to
    be set up before it composes a config, and importing a module of ours does not do that.
    """

    def __call__(self, cfg: DictConfig) -> float | None:
        """Make the run.

        Returns:
            The monitored metric of the finished run, which a sweeper may optimise.
        """
        in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        forgive_readers()  # in a launcher's process nobody has yet
        stop = stop_flag()
        try:
            with stop:  # in a launcher's process this is the outermost
                stop.check()
                return _in_its_own_process(cfg) if in_sweep and not isolated.inside else _run(cfg, in_sweep)
        except (UserError, OSError, OmegaConfBaseException) as failure:
            error = _as_user_error(failure)
            say(f"[{' '.join(_asked())}] {error}" if in_sweep and not isolated.inside else str(error))
            ours = stop.listens  # else this is a launcher's process, which may do more about a signal than we do
            if not ours:
                stop.hand_on()
            if in_sweep and not (ours and isinstance(error, Stopped)):  # a signal to our process means the sweep too
                raise error from failure  # the launcher records it and goes on with the next job
            sys.exit(error.exit_code)

    def __reduce__(self) -> tuple[Callable[[], _ConfigRunner], tuple[()]]:
        return _unpickled, ()


run_config = _ConfigRunner()
"""The function of ``@hydra.main``."""


def _unpickled() -> _ConfigRunner:
    register()
    return run_config


def _in_its_own_process(cfg: DictConfig) -> float | None:
    """A job of a launcher that gives it no process of its own: whatever ends the job, it ends no other."""
    run = settings(plain(cfg))
    folder = _folder_in_sweep(cfg)
    if cfg.resume not in (None, AUTO) or not finished(folder):  # one that lies elsewhere may be extended
        with failing_fast(Path("outputs") / run.name, run.sweep.fail_fast):
            isolated.warm([run])
            try:
                isolated.run_isolated(folder, lambda: _exit_code(cfg), stop_flag(), run.sweep.timeout)
            finally:
                isolated.cool()
        say(f"{folder.path.name}: {isolated.paused(folder) or 'finished'}")
    result = folder.read_result() or {}
    return result.get("metrics", {}).get(run.checkpoint.monitor)


def _exit_code(cfg: DictConfig) -> int:
    try:
        run_config(cfg)
    except UserError as error:
        return error.exit_code
    return 0


def _asked() -> list[str]:
    """The overrides as they were typed: an interpolation in them is not resolved, it may be a secret or nothing."""
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    assert isinstance(overrides, list)
    return [str(item) for item in overrides]


def _as_user_error(failure: Exception) -> UserError:
    if isinstance(failure, OSError):
        return StorageError(f"{failure.strerror}: {failure.filename}")
    return as_user_error(failure, _asked())


def _run(cfg: DictConfig, in_sweep: bool) -> float | None:
    with ExitStack() as held:
        of_sweep = in_sweep and cfg.get("resume") in (None, AUTO)  # its jobs go on by themselves
        job = _in_sweep(cfg, held) if of_sweep else _alone(cfg, held)
        if isinstance(job, RunFolder):
            say_finished(job)
            return (job.read_result() or {"metrics": {}})["metrics"].get(cfg.checkpoint.monitor)
        put(job.config, "sweep", cfg.sweep)  # says how runs are made beside each other, and nothing of this one
        run = settings(plain(job.config))
        from lrsched.runs.execute import execute  # imports torch

        return execute(run, job, held, stop_flag(), quiet=in_sweep)["metrics"].get(run.checkpoint.monitor)


def _alone(cfg: DictConfig, held: ExitStack) -> Job | RunFolder:
    """The run that a command asks for; locked where it goes on. A folder: it is finished."""
    overrides = _asked()
    by_user = any(item.lstrip("+").startswith("name=") for item in overrides)
    path = cfg.get("resume")
    if path == AUTO:
        found = newest_unfinished(cfg, check_name("name", str(cfg.name)) if by_user else None)
        path = None if found is None else found.path
    if path is None:
        return _new(cfg, by_user)
    folder = run_folder(str(path))
    if finished(folder) and not stored(folder, cfg, overrides).changed:
        return folder
    held.enter_context(RunLock(folder.path))
    return stored(folder, cfg, overrides)  # by now another process may have changed it


def _in_sweep(cfg: DictConfig, held: ExitStack) -> Job | RunFolder:
    """The run of a sweep's job, which goes on where it stood. A folder: it is finished."""
    folder = _folder_in_sweep(cfg)
    begun = folder.path.is_dir() and any(folder.path.iterdir())  # Hydra makes the folder too
    if begun and not finished(folder):
        check_folder(folder)
        with ExitStack() as lock:  # only who has it knows what the run has come to
            lock.enter_context(RunLock(folder.path, PATIENCE))
            if folder.holds_a_run() and not finished(folder):
                held.enter_context(lock.pop_all())
    if not folder.holds_a_run():
        return Job(folder, _named(cfg), share=isolated.share)
    return folder if finished(folder) else replace(continued(folder, cfg, _asked()), share=isolated.share)


def _folder_in_sweep(cfg: DictConfig) -> RunFolder:
    """The run folder of a sweep's job."""
    if cfg.get("resume") not in (None, AUTO):
        return RunFolder(Path(str(cfg.resume)))
    run_id = check_name("run id", str(HydraConfig.get().sweep.subdir))
    return RunFolder(Path("outputs") / check_name("name", str(cfg.name)) / run_id)


def _new(cfg: DictConfig, by_user: bool) -> Job:
    """A run that starts, and where it puts its files."""
    name = check_name("name", str(cfg.name))
    folder = RunFolder(Path("outputs") / name)
    if by_user and taken(folder):
        raise already_there(folder)  # before torch is imported; who claims the folder looks again
    return Job(folder, _named(cfg), numbered=not by_user)


def _named(cfg: DictConfig) -> DictConfig:
    """The config with its name as text: now() must not move on resume."""
    return OmegaConf.merge(cfg, {"name": str(cfg.name), "resume": None})  # type: ignore[return-value]
