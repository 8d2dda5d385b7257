"""Decide which run a composed config means (a new one, the rest of one, a finished one), and make it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.checkpoint.lock import RunLock
from lrsched.compose.nodes import plain, put
from lrsched.compose.stored import check_folder
from lrsched.config.blame import CodeError, raised
from lrsched.config.settings import Settings, settings
from lrsched.console import say
from lrsched.fast.keys import asked, put_values, refuse_name
from lrsched.imports import collector_at_rest
from lrsched.ranks.children import placed
from lrsched.records import RunFolder, check_name
from lrsched.runs.auto_resume import AUTO, newest_unfinished
from lrsched.runs.context import WorkerContext
from lrsched.runs.request import RunRequest, already_there, asking, taken
from lrsched.runs.resume import continued, finished, run_folder, stored
from lrsched.signals import StopFlag

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lrsched.assembly.data import Loaded

PATIENCE = 10.0
"""Seconds that a job waits for a run in use: jobs of a killed sweep are still saving."""


def make_run(
    config: DictConfig,
    overrides: Sequence[str],
    stop: StopFlag,
    *,
    job: RunFolder | None = None,
    context: WorkerContext | None = None,
    quiet: bool = False,
) -> float | None:
    """Make the run that a config means.

    Args:
        config: as composed.
        overrides: that composed it, as typed.
        stop: raised by a signal.
        job: the folder of a sweep's job, which goes on where it stood; None: the config says which run is meant.
        context: what a sweep, or a program in Python, lends it.
        quiet: print one line at its end, and no progress.

    Returns:
        The monitored metric.

    Raises:
        UserError: the run did not finish.
    """
    context = context or WorkerContext()
    with ExitStack() as held:
        request = (
            _of_command(config, overrides, held, context) if job is None else _of_job(config, overrides, job, held)
        )
        if isinstance(request, RunFolder):
            result = request.read_result() or {"metrics": {}}
            say(f"{request} is finished: {result.get('reason')}; nothing to do")
            context.entered(request)
            return result["metrics"].get(config.checkpoint.monitor)
        put(request.config, "sweep", config.sweep)  # how runs are launched, which changes no run
        run = settings(plain(request.config), context.objects)
        request = replace(request, place=held.enter_context(placed(run.trainer.processes, context.objects)))
        with collector_at_rest():
            from lrsched.runs.execute import execute  # imports torch

        request = replace(request, context=context)
        if asked(plain(request.config)):
            request = _chosen(request, run)
            run = settings(plain(request.config), context.objects)
        try:
            return execute(run, request, held, stop, quiet=quiet)["metrics"].get(run.checkpoint.monitor)
        except SystemExit as error:  # of a model, a task or a data set of a user's own, as it is built
            raise CodeError(
                f"{raised(error)}: it ended the program before the run began; raise an error instead"
            ) from None


def _chosen(request: RunRequest, run: Settings) -> RunRequest:
    """The request with what is fastest here in the place of ``auto``; the data stay in memory for the run."""
    from lrsched.assembly.data import load_each
    from lrsched.fast.chooser import choose

    data = dict(request.context.data)

    def loaded() -> dict[str, Loaded]:
        data.update(load_each([run]))
        return data

    config = deepcopy(request.config)
    put_values(config, choose(plain(config), run, loaded))
    return replace(request, config=config, context=replace(request.context, data=data))


def _of_command(
    config: DictConfig, overrides: Sequence[str], held: ExitStack, context: WorkerContext
) -> RunRequest | RunFolder:
    """The run that a command asks for, locked if it resumes; a folder if the run is finished."""
    by_user = any(item.lstrip("+").startswith("name=") for item in overrides)
    path = config.get("resume")
    if path == AUTO:
        found = newest_unfinished(config, check_name("name", str(config.name)) if by_user else None)
        path = None if found is None else found.path
    if path is None:
        return _new(config, by_user, context)
    folder = run_folder(str(path))
    if finished(folder) and not stored(folder, config, overrides).changed:
        return folder
    held.enter_context(RunLock(folder.path))
    return stored(folder, config, overrides)  # by now another process may have changed it


def _of_job(config: DictConfig, overrides: Sequence[str], folder: RunFolder, held: ExitStack) -> RunRequest | RunFolder:
    """The run of a sweep's job, locked if it resumes; a folder if the run is finished."""
    begun = folder.path.is_dir() and any(folder.path.iterdir())  # Hydra makes the folder too
    if begun and not finished(folder):
        check_folder(folder)
        with ExitStack() as lock:  # look again: only the holder sees a settled run
            lock.enter_context(RunLock(folder.path, PATIENCE))
            if folder.holds_a_run() and not finished(folder):
                held.enter_context(lock.pop_all())
    if not folder.holds_a_run():
        return RunRequest(folder, _named(config))
    return folder if finished(folder) else continued(folder, config, overrides)


def _new(config: DictConfig, by_user: bool, context: WorkerContext) -> RunRequest:
    """A new run and its folder."""
    refuse_name(config)
    folder = RunFolder(Path("outputs") / check_name("name", str(config.name)))
    if by_user and taken(folder):
        raise already_there(
            folder, asking(context, config)
        )  # before torch is imported; who claims the folder looks again
    return RunRequest(folder, _named(config), numbered=not by_user)


def _named(config: DictConfig) -> DictConfig:
    """The config with its name as text: now() must not move on resume."""
    named = deepcopy(config)
    put(named, "name", str(config.name))
    put(named, "resume", None)
    return named
