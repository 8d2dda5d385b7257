"""Hydra's door: from a command line to one run, with our messages and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.app import isolated
from lrsched.app.help import FLAGS, show_help
from lrsched.app.messages import complaint, say
from lrsched.app.naming import command, run_id
from lrsched.app.plain import plain
from lrsched.app.resume import continued, stored
from lrsched.config import schema
from lrsched.config.check import settings
from lrsched.errors import ConfigError, Stopped, StorageError, UserError
from lrsched.records import RunFolder, check_name
from lrsched.signals import StopFlag

ConfigStore.instance().store(name="schema", node=schema.Run)
OmegaConf.register_new_resolver("run_id", run_id, replace=True)
sys.path.append(str(Path(__file__).resolve().parent.parent / "_hydra"))  # where Hydra finds our launcher and sweeper

if sys.version_info >= (3, 14):  # hydra 1.3's help strings are objects, which 3.14's argparse refuses
    _check_help = argparse.ArgumentParser._check_help  # type: ignore[attr-defined]

    def _check_text(self: argparse.ArgumentParser, action: argparse.Action) -> None:
        if isinstance(action.help, (str, type(None))):
            _check_help(self, action)

    argparse.ArgumentParser._check_help = _check_text  # type: ignore[attr-defined]


_stop = StopFlag()
"""Up once a signal has come: it ends the run that is under way, and the sweep with it."""


def open_door(main: Callable[[], Any]) -> None:
    """Call a ``@hydra.main`` function; a user's mistake is one message and exit code 2.

    Hydra reports errors itself and exits with 1, unless HYDRA_FULL_ERROR asks for the bare exception.
    We ask, and report; a person who asks gets the traceback as well.
    """
    global _stop
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    _stop = StopFlag()
    try:
        with _stop:
            if any(flag in sys.argv[1:] for flag in FLAGS):
                show_help(main)
            else:
                main()
            _stop.check()  # a launcher may have caught what a signal raised in it
    except (UserError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            traceback.print_exc()
        known = error if isinstance(error, UserError) else complaint(error)
        say(str(known))
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
    try:
        with _stop:  # in a launcher's process this is the outermost
            _stop.check()
            return _in_its_own_process(cfg) if in_sweep and not isolated.inside else _run(cfg, in_sweep)
    except (UserError, OSError) as failure:
        error = failure if isinstance(failure, UserError) else StorageError(f"{failure.strerror}: {failure.filename}")
        overrides = " ".join(HydraConfig.get().overrides.task)
        say(f"[{overrides}] {error}" if in_sweep else str(error))
        if in_sweep and not isinstance(error, Stopped):  # a signal means the sweep too
            raise error from failure  # the launcher records it and goes on with the next job
        sys.exit(error.exit_code)


def _in_its_own_process(cfg: DictConfig) -> float | None:
    """A job of a launcher that gives it no process of its own: whatever ends the job, it ends no other."""
    run = settings(plain(cfg))
    folder = RunFolder(Path("outputs") / run.name / check_name("run id", str(HydraConfig.get().sweep.subdir)))
    if not isolated.finished(folder):
        isolated.warm([run])
        isolated.run_isolated(folder, lambda: _exit_code(cfg), _stop, run.sweep.timeout)
    result = folder.read_result() or {}
    return result.get("metrics", {}).get(run.checkpoint.monitor)


def _exit_code(cfg: DictConfig) -> int:
    try:
        task(cfg)
    except UserError as error:
        return error.exit_code
    return 0


def _run(cfg: DictConfig, in_sweep: bool) -> float | None:
    if cfg.get("resume") is not None:
        folder, cfg, lengthened = stored(cfg, list(HydraConfig.get().overrides.task))
        job = "lengthen" if lengthened else continued(folder)
    else:
        folder, job = _new_folder(cfg, in_sweep)
        cfg = OmegaConf.merge(cfg, {"name": str(cfg.name)})  # type: ignore[assignment]  # now() must not move on resume
    config = plain(cfg)
    run = settings(config)
    result = folder.read_result() if job == "finished" else None
    if result is None:
        from lrsched.app.run import execute  # imports torch

        result = execute(run, config, OmegaConf.to_yaml(cfg), folder, job, _stop, quiet=in_sweep)
    return result["metrics"].get(run.checkpoint.monitor)


def _new_folder(cfg: DictConfig, in_sweep: bool) -> tuple[RunFolder, str]:
    """Where a run that was not asked to resume puts its files, and what is to do there."""
    name = check_name("name", str(cfg.name))
    path = Path("outputs") / name
    if in_sweep:
        folder = RunFolder(path / check_name("run id", str(HydraConfig.get().sweep.subdir)))
        return folder, continued(folder) if folder.holds_a_run() else "start"
    named_by_user = any(item.lstrip("+").startswith("name=") for item in HydraConfig.get().overrides.task)
    folder, again = RunFolder(path), 1
    while folder.holds_a_run() and not named_by_user:  # another run of the same second
        again += 1
        folder = RunFolder(path.with_name(f"{name}-{again}"))
    if folder.holds_a_run() or (path.is_dir() and any(path.iterdir()) and named_by_user):
        raise ConfigError(
            "name",
            name,
            f"{path} already holds a run",
            f"give another name, or continue it: {command()} resume={path}",
        )
    return folder, "start"
