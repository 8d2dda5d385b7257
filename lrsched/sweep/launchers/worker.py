"""Run one job of a sweep in its own process, and read its messages and its outcome."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.errors import as_user_error
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.ended import Ended, ending_of
from lrsched.errors import ConfigError, NotFinite, RunFolderBusy, Stopped, UserError
from lrsched.imports import collector_at_rest
from lrsched.records import RunFolder, write_json
from lrsched.runs.auto_resume import AUTO
from lrsched.runs.context import WorkerContext
from lrsched.runs.resume import finished
from lrsched.runs.start import make_run
from lrsched.signals import SIGNALS, StopFlag
from lrsched.sweep.processes import End, Pool, Work


@contextmanager
def preload(runs: Sequence[Settings]) -> Iterator[WorkerContext]:
    """Import modules and load data sets once, before the first fork; release them at the end.

    Modules of the user are the jobs' own: an error in one ends a job, and not the sweep.

    Use one thread: torch starts its thread pool at the first operation, and a thread pool does not survive a fork.
    """
    with collector_at_rest():
        import numpy.random  # noqa: F401  (NumPy imports it at first use)
        import torch
        import torch.utils._device
        import torch.utils.serialization.config

        import lrsched.runs.execute
        import lrsched.schedules.extend  # noqa: F401
        from lrsched.assembly.data import load_each
        from lrsched.assembly.kinds import is_native

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if any(is_native(run.scheduler) for run in runs):
            with collector_at_rest():
                import torch._dynamo  # (a second or two; the first step with such a scheduler needs it)
        if any("tensorboard" in run.logger for run in runs):
            import tensorboard.compat.proto.event_pb2  # noqa: F401
        for run in runs:
            for node in (run.scheduler, run.model, *run.logger.values()):
                if node.target.startswith("lrsched."):
                    with suppress(UserError):  # the run itself will say what is wrong
                        _ = node.cls
        yield WorkerContext(load_each(runs), threads)
    finally:
        torch.set_num_threads(threads)


def work_of(folder: RunFolder, run: Callable[[int, Callable[[str], None]], object]) -> Work:
    """Describe the process that makes one run; it prints to a file next to the run folder.

    Its warnings and its error go into another file at once, because the process may be killed at any moment.

    Args:
        folder: of the run.
        run: makes the run, given the process's slot and a function that issues a warning.
    """
    path, warnings = _messages_of(folder), list[str]()

    def write(**error: str) -> None:
        with suppress(OSError):  # a full disk is what the error is about
            write_json(path, {"warnings": warnings, **error})

    def warn(message: str) -> None:
        say(message)
        warnings.append(message)
        write()

    def within(slot: int) -> int:
        path.unlink(missing_ok=True)  # an earlier attempt's
        try:
            run(slot, warn)
        except (UserError, OSError, OmegaConfBaseException) as failure:
            error = as_user_error(failure)
            say(str(error))
            write(reason=str(error))
            return error.exit_code
        return 0

    return Work(within, output_of(folder))


def run_job(
    config: DictConfig, overrides: Sequence[str], folder: RunFolder, context: WorkerContext, stop: StopFlag
) -> float | None:
    """Run a job in the current process; returns the monitored metric."""
    import torch

    stop.check()
    if context.threads is not None:
        torch.set_num_threads(context.threads)
    job = folder if config.get("resume") in (None, AUTO) else None  # a run in another folder is resumed as it was made
    return make_run(config, overrides, stop, job=job, context=context, quiet=True)


def run_isolated(
    folder: RunFolder,
    config: DictConfig,
    overrides: Sequence[str],
    loaded: WorkerContext,
    stop: StopFlag,
    timeout: float | None,
) -> None:
    """Make one run in a forked process, and wait for it.

    Raises:
        UserError: why it did not finish.
    """
    ends: list[End] = []

    def run(slot: int, warn: Callable[[str], None]) -> None:
        run_job(config, overrides, folder, replace(loaded, warn=warn), stop)

    with stop.patient():
        Pool(1, timeout=timeout).run([work_of(folder, run)], stop, lambda _, end: not ends.append(end))
    error = error_of_job(folder, ends[0])
    if error is not None:
        raise error


def output_of(folder: RunFolder) -> Path:
    """The file that a running job prints to; its run folder may not exist yet."""
    return folder.path.with_name(f".{folder.path.name}.log")


def _messages_of(folder: RunFolder) -> Path:
    """The file with the warnings and the error of a job, for its parent to read."""
    return folder.path.with_name(f".{folder.path.name}.json")


def _collected(folder: RunFolder) -> Mapping[str, Any]:
    """The messages of an ended job, ``warnings`` and perhaps a ``reason``; removes their file."""
    path = _messages_of(folder)
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    finally:
        path.unlink(missing_ok=True)


def _keep(folder: RunFolder) -> Path:
    """Keep the output of a job that failed: in its run folder if it has one, else next to it."""
    if not folder.holds_a_run():
        with suppress(OSError):
            folder.path.rmdir()  # Hydra made it; it stays unless it is empty
    kept = _places(folder)[0 if folder.path.is_dir() else 1]
    with suppress(FileNotFoundError):
        os.replace(output_of(folder), kept)
    return kept


def _places(folder: RunFolder) -> tuple[Path, Path]:
    return folder.path / "output.log", folder.path.with_name(f"{folder.path.name}.log")


def paused(folder: RunFolder) -> str:
    """The reason of a paused run (``sweep.until``); empty if it is not paused."""
    result = folder.read_result() or {}
    return str(result.get("reason")) if ending_of(result).ended is Ended.PAUSED else ""


def error_of_job(folder: RunFolder, end: End) -> UserError | None:
    """Why a job failed, or None; repeats its warnings.

    Read from its result, else from its messages, else from how its process ended.
    """
    messages = _collected(folder)
    for warning in messages.get("warnings", ()):
        say(f"[{folder.path.name}] {warning}")
    if (end.code == 0 and (finished(folder) or paused(folder))) or _by_another(folder, end):
        for path in (output_of(folder), *_places(folder)):
            path.unlink(missing_ok=True)
        return None
    output = _keep(folder)
    if end.timed_out or end.code < 0:
        return UserError(end.words)
    result = result_within(folder, end.seconds)
    reason = str(result.get("reason") or messages.get("reason", ""))
    if end.code - 128 in SIGNALS:  # there is no result if it had not begun
        return Stopped(end.code - 128, reason)
    reason = reason or f"{end.words}, before it was finished; see {output}"
    error = error_of({**result, "reason": reason})
    error.exit_code = end.code or 1
    return error


def _by_another(folder: RunFolder, end: End) -> bool:
    """Whether an equal sweep at the same moment had claimed the run, and has finished it since this job began."""
    refused = end.code in (ConfigError.exit_code, RunFolderBusy.exit_code)
    return refused and result_within(folder, end.seconds).get("status") == "finished"


def error_of(result: Mapping[str, Any]) -> UserError:
    """The error that a result describes."""
    reason = str(result.get("reason"))
    return NotFinite(reason) if ending_of(result).ended is Ended.DIVERGED else UserError(reason)


def result_within(folder: RunFolder, seconds: float) -> Mapping[str, Any]:
    """The result of a run; empty if it is older than so many seconds, because an earlier attempt wrote it."""
    path = folder.result
    fresh = path.exists() and path.stat().st_mtime >= time.time() - seconds - 0.1
    return (folder.read_result() or {}) if fresh else {}
