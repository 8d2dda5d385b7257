"""Make the run of a composed config, alone or under another library's launcher: the function that Hydra calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lrsched.cli.torchrun import taking_part, tasks_as_ranks
from lrsched.compose.errors import as_user_error
from lrsched.compose.hydra_setup import register
from lrsched.compose.nodes import as_written, plain
from lrsched.console import forgive_readers, say
from lrsched.errors import Stopped, UserError
from lrsched.imports import collector_at_rest
from lrsched.records import RunFolder, check_name
from lrsched.signals import stop_flag


class _ConfigRunner:
    """Makes the run of a composed config. Hydra calls it.

    An object, because other launchers pickle it for processes of their own: unpickling it sets Hydra up there, before
    a config is composed. Importing a module of ours does not.
    """

    def __call__(self, cfg: DictConfig) -> float | None:
        """Make the run.

        Returns:
            The monitored metric of the finished run, which a sweeper may optimise.
        """
        in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        forgive_readers()  # nobody has yet, in a launcher's process
        stop = stop_flag()
        try:
            with stop:  # the outermost one, in a launcher's process
                stop.check()
                if in_sweep and tasks_as_ranks():
                    return _in_all_tasks(cfg)
                if in_sweep:
                    return _in_its_own_process(cfg)
                with collector_at_rest():
                    from lrsched.runs.start import make_run  # slow, and --help and --cfg do without it

                return make_run(cfg, _asked(), stop)
        except (UserError, OSError, OmegaConfBaseException) as failure:
            error = as_user_error(failure, _asked())
            say(f"[{' '.join(_asked())}] {error}" if in_sweep else str(error))
            ours = stop.listens  # else a launcher's process, which has handlers of its own
            if not ours:
                stop.hand_on()
            if in_sweep and not (ours and isinstance(error, Stopped)):  # a signal to us ends the sweep too
                raise error from failure  # the launcher records it, and begins the next job
            sys.exit(error.exit_code)

    def __reduce__(self) -> tuple[Callable[[], _ConfigRunner], tuple[()]]:
        return _unpickled, ()


run_config = _ConfigRunner()
"""The function of ``@hydra.main``."""


def _unpickled() -> _ConfigRunner:
    register()
    return run_config


def _in_its_own_process(cfg: DictConfig) -> float | None:
    """Run a job in a process of its own, where its launcher gives it none: what ends it ends no other job."""
    from lrsched.config.settings import settings
    from lrsched.runs.auto_resume import AUTO
    from lrsched.runs.initial import refuse_changed_source
    from lrsched.runs.resume import finished
    from lrsched.sweep.launchers.dispatch import failing_fast
    from lrsched.sweep.launchers.worker import paused, preload, run_isolated

    run = settings(plain(cfg))
    elsewhere = cfg.resume not in (None, AUTO)
    folder = RunFolder(Path(str(cfg.resume))) if elsewhere else _folder_in_sweep(cfg)
    if not elsewhere:
        refuse_changed_source(folder, run.init_from)
    if elsewhere or not finished(folder):  # a finished run elsewhere may be extended
        with failing_fast(Path("outputs") / run.name, run.sweep.fail_fast), preload([run]) as loaded:
            run_isolated(folder, cfg, _asked(), loaded, stop_flag(), run.sweep.timeout)
        say(f"{folder.path.name}: {paused(folder) or 'finished'}")
    result = folder.read_result() or {}
    return result.get("metrics", {}).get(run.checkpoint.monitor)


def _in_all_tasks(cfg: DictConfig) -> float | None:
    """Run a job of several tasks, each of which is a process of its run."""
    from lrsched.config.settings import settings
    from lrsched.runs.auto_resume import AUTO
    from lrsched.runs.start import make_run
    from lrsched.sweep.launchers.dispatch import failing_fast

    stop = stop_flag()
    with taking_part([], stop) as followed:
        if followed is not None:  # rank 0 says how it ended
            return None
        run = settings(plain(cfg))
        job = _folder_in_sweep(cfg) if cfg.resume in (None, AUTO) else None
        with failing_fast(Path("outputs") / run.name, run.sweep.fail_fast):
            return make_run(cfg, _asked(), stop, job=job, quiet=True)


def _asked() -> list[str]:
    """List the overrides as typed, not resolved: an interpolation may be a secret, or name nothing."""
    return [str(item) for item in as_written(HydraConfig.get().overrides.task)]


def _folder_in_sweep(cfg: DictConfig) -> RunFolder:
    """Find the run folder of a sweep's job."""
    run_id = check_name("run id", str(HydraConfig.get().sweep.subdir))
    return RunFolder(Path("outputs") / check_name("name", str(cfg.name)) / run_id)
