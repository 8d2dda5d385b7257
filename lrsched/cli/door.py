"""Hydra's door: from a command line to one run, with our messages and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.checkpoint import RunLock
from lrsched.cli.flags import check_flags
from lrsched.cli.help import FLAGS, show_help
from lrsched.compose.errors import complaint, hydras_own
from lrsched.compose.nodes import plain, put
from lrsched.compose.stored import check_folder
from lrsched.config import schema
from lrsched.config.digest import config_sha256
from lrsched.config.run_id import id_of
from lrsched.config.settings import settings
from lrsched.console import forgive_readers, say
from lrsched.errors import Incomplete, Stopped, StorageError, UserError
from lrsched.records import RunFolder, check_name
from lrsched.runs.auto_resume import AUTO, newest_unfinished
from lrsched.runs.request import Job, already_there, taken
from lrsched.runs.resume import continued, finished, run_folder, say_finished, stored
from lrsched.signals import StopFlag
from lrsched.sweep.launchers import worker as isolated
from lrsched.sweep.launchers.failfast import failing_fast
from lrsched.sweep.leftover import and_what_is_left


def run_id(*, _root_: DictConfig) -> str:
    """The folder name of a job whose sweeper gives it none: what ``${run_id:}`` stands for."""
    root = OmegaConf.to_container(_root_, resolve=False)
    assert isinstance(root, dict)
    overrides = [str(item) for item in root["hydra"]["overrides"]["task"]]
    own = OmegaConf.masked_copy(_root_, [str(key) for key in root if key != "hydra"])
    return id_of(overrides, config_sha256(plain(own)))


ConfigStore.instance().store(name="schema", node=schema.RunConfig)
OmegaConf.register_new_resolver("run_id", run_id, replace=True)
sys.path.append(str(Path(__file__).resolve().parent.parent / "_hydra"))  # where Hydra finds our launcher and sweeper

if sys.version_info >= (3, 14):  # hydra 1.3's help strings are objects, which 3.14's argparse refuses
    _check_help = argparse.ArgumentParser._check_help  # type: ignore[attr-defined]

    def _check_text(self: argparse.ArgumentParser, action: argparse.Action) -> None:
        if isinstance(action.help, (str, type(None))):
            _check_help(self, action)

    argparse.ArgumentParser._check_help = _check_text  # type: ignore[attr-defined]


PATIENCE = 10.0
"""Seconds that a job waits for a run that is in use: where a sweep was killed, its jobs are still saving."""

_stop = StopFlag()
"""Up once a signal has come: it ends the run that is under way, and the sweep with it."""


def open_door(main: Callable[[], Any]) -> None:
    """Call a ``@hydra.main`` function; a user's mistake is one message and exit code 2.

    Hydra reports errors itself and exits with 1, unless HYDRA_FULL_ERROR asks for the bare exception.
    We ask, and report; a person who asks gets the traceback as well.
    """
    global _stop
    forgive_readers()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    _stop = StopFlag()
    try:
        with _stop:
            if any(flag in sys.argv[1:] for flag in FLAGS):
                show_help(main)
            else:
                check_flags(sys.argv[1:])
                main()
            _stop.check()  # a launcher may have caught what a signal raised in it
    except (UserError, HydraException, OmegaConfBaseException, ValueError, OverflowError) as error:
        if not isinstance(error, UserError) and not hydras_own(error):
            raise
        if wants_traceback:
            traceback.print_exc()
        known = error if isinstance(error, UserError) else complaint(error)
        left = and_what_is_left() if isinstance(known, (Stopped, Incomplete)) else ""
        say(f"{known}{left}")
        sys.exit(known.exit_code)


def stop_flag() -> StopFlag:
    """The flag that signals raise in this process."""
    return _stop


def task(cfg: DictConfig) -> float | None:
    """What Hydra calls with a composed config: one run, alone or as a job of a sweep.

    Returns:
        The monitored metric of the finished run, which a sweeper may optimise.
    """
    in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    forgive_readers()  # in a launcher's process nobody has yet
    try:
        with _stop:  # in a launcher's process this is the outermost
            _stop.check()
            return _in_its_own_process(cfg) if in_sweep and not isolated.inside else _run(cfg, in_sweep)
    except (UserError, OSError, OmegaConfBaseException) as failure:
        error = _told(failure)
        say(f"[{' '.join(_asked())}] {error}" if in_sweep and not isolated.inside else str(error))
        ours = _stop.listens  # else this is a process of a launcher's, who may do more about a signal than we
        if not ours:
            _stop.hand_on()
        if in_sweep and not (ours and isinstance(error, Stopped)):  # a signal to a process of ours means the sweep too
            raise error from failure  # the launcher records it and goes on with the next job
        sys.exit(error.exit_code)


def _in_its_own_process(cfg: DictConfig) -> float | None:
    """A job of a launcher that gives it no process of its own: whatever ends the job, it ends no other."""
    run = settings(plain(cfg))
    folder = _folder_in_sweep(cfg)
    if cfg.resume not in (None, AUTO) or not finished(folder):  # one that lies elsewhere may be extended
        with failing_fast(Path("outputs") / run.name, run.sweep.fail_fast):
            isolated.warm([run])
            try:
                isolated.run_isolated(folder, lambda: _exit_code(cfg), _stop, run.sweep.timeout)
            finally:
                isolated.cool()
        say(f"{folder.path.name}: {isolated.paused(folder) or 'finished'}")
    result = folder.read_result() or {}
    return result.get("metrics", {}).get(run.checkpoint.monitor)


def _exit_code(cfg: DictConfig) -> int:
    try:
        task(cfg)
    except UserError as error:
        return error.exit_code
    return 0


def _asked() -> list[str]:
    """The overrides as they were typed: an interpolation in them is not resolved, it may be a secret or nothing."""
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    assert isinstance(overrides, list)
    return [str(item) for item in overrides]


def _told(failure: Exception) -> UserError:
    if isinstance(failure, UserError):
        return failure
    if isinstance(failure, OSError):
        return StorageError(f"{failure.strerror}: {failure.filename}")
    return complaint(failure)


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

        return execute(run, job, held, _stop, quiet=in_sweep)["metrics"].get(run.checkpoint.monitor)


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
