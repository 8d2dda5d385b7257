"""One job of a sweep in a process of its own, and what became of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.errors import as_user_error
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.ended import Ended, ending_of
from lrsched.errors import NotFinite, Stopped, UserError
from lrsched.records import RunFolder
from lrsched.runs.auto_resume import AUTO
from lrsched.runs.context import WorkerContext
from lrsched.runs.resume import finished
from lrsched.runs.start import make_run
from lrsched.signals import SIGNALS, StopFlag
from lrsched.sweep.launchers.messages import Outbox, collect
from lrsched.sweep.processes import End, Pool, Work

if TYPE_CHECKING:
    from lrsched.assembly.data import Loaded


@dataclass(frozen=True)
class Preloaded:
    """What is in memory before the first fork.

    Args:
        data: the data sets.
        threads: torch's own choice of threads, for jobs that choose none.
    """

    data: Mapping[str, Loaded]
    threads: int


@contextmanager
def preload(runs: Sequence[Settings]) -> Iterator[Preloaded]:
    """Import what every job needs and load each data set once, before the first fork; release it at the end.

    With one thread: a pool of threads does not survive a fork, and torch makes it with the first operation.
    """
    import torch

    import lrsched.runs.execute  # noqa: F401
    from lrsched.assembly.data import load_each
    from lrsched.assembly.kinds import is_native

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if any(is_native(run.scheduler) for run in runs):
            import torch._dynamo  # (a second or two, and the first step with such a scheduler asks for it)
        if any("tensorboard" in run.logger for run in runs):
            import tensorboard.compat.proto.event_pb2
            import tensorboard.summary.writer.record_writer  # noqa: F401
        yield Preloaded(load_each(runs), threads)
    finally:
        torch.set_num_threads(threads)


def work_of(folder: RunFolder, threads: int, run: Callable[[int, Outbox], object]) -> Work:
    """The process that makes one run; what it prints goes beside the run folder, which it makes itself.

    Args:
        folder: of the run.
        threads: torch's own choice.
        run: makes it, given the number of the process's slot and where it leaves messages.
    """

    def within(slot: int) -> int:
        import torch

        torch.set_num_threads(threads)
        outbox = Outbox(folder)
        try:
            run(slot, outbox)
        except (UserError, OSError, OmegaConfBaseException) as failure:
            error = as_user_error(failure)
            outbox.fail(error)
            return error.exit_code
        return 0

    return Work(folder.path.name, within, output_of(folder))


def run_job(
    config: DictConfig, overrides: Sequence[str], folder: RunFolder, context: WorkerContext, stop: StopFlag
) -> float | None:
    """Make the run of one job, in the process that was forked for it; returns its monitored metric."""
    job = folder if config.get("resume") in (None, AUTO) else None  # one that lies elsewhere is resumed as it was made
    return make_run(config, overrides, stop, job=job, context=context, quiet=True)


def run_isolated(
    folder: RunFolder,
    config: DictConfig,
    overrides: Sequence[str],
    loaded: Preloaded,
    stop: StopFlag,
    timeout: float | None,
) -> None:
    """Make one run in a process of its own, and wait for it.

    Raises:
        UserError: it did not finish, and why.
    """
    ends: list[End] = []

    def run(slot: int, outbox: Outbox) -> None:
        run_job(config, overrides, folder, WorkerContext(data=loaded.data, warn=outbox.warn), stop)

    with stop.patient():
        Pool(1, timeout=timeout).run([work_of(folder, loaded.threads, run)], stop, lambda _, end: not ends.append(end))
    error = outcome(folder, ends[0])
    if error is not None:
        raise error


def output_of(folder: RunFolder) -> Path:
    """Where a job prints while it runs: it makes its run folder itself, once its config is known to be good."""
    return folder.path.parent / f".{folder.path.name}.log"


def _keep(folder: RunFolder) -> Path:
    """Keep the output of a job that failed: in its run folder if it has one, else next to it."""
    if not folder.holds_a_run():
        with suppress(OSError):
            folder.path.rmdir()  # Hydra made it; it is empty, or it stays
    kept = _places(folder)[0 if folder.path.is_dir() else 1]
    with suppress(FileNotFoundError):
        os.replace(output_of(folder), kept)
    return kept


def _places(folder: RunFolder) -> tuple[Path, Path]:
    return folder.path / "output.log", folder.path.with_name(f"{folder.path.name}.log")


def paused(folder: RunFolder) -> str:
    """Where a run is paused (``sweep.until``), in words; nothing if it is not."""
    result = folder.read_result() or {}
    return str(result.get("reason")) if ending_of(result).ended is Ended.PAUSED else ""


def outcome(folder: RunFolder, end: End) -> UserError | None:
    """Why a job did not finish its run, None if it did; its warnings are repeated.

    The result says it where the job wrote one, else the job's messages do, else how its process ended.
    """
    messages = collect(folder)
    for warning in messages.warnings:
        say(f"[{folder.path.name}] {warning}")
    if end.code == 0 and (finished(folder) or paused(folder)):
        for path in (output_of(folder), *_places(folder)):
            path.unlink(missing_ok=True)
        return None
    output = _keep(folder)
    if end.timed_out or end.signal is not None:
        return UserError(end.words)
    code, result = end.code or 0, result_within(folder, end.seconds)
    reason = str(result.get("reason") or messages.reason)
    if code - 128 in SIGNALS:  # before it began, there is no result
        return Stopped(code - 128, reason)
    reason = reason or f"{end.words}, before it was finished; see {output}"
    error = error_of({**result, "reason": reason})
    error.exit_code = code or 1
    return error


def error_of(result: Mapping[str, Any]) -> UserError:
    """Why a run failed, by its result."""
    reason = str(result.get("reason"))
    return NotFinite(reason) if ending_of(result).ended is Ended.DIVERGED else UserError(reason)


def result_within(folder: RunFolder, seconds: float) -> Mapping[str, Any]:
    """The result of a run if it was written in the last so many seconds; an earlier attempt's is nothing."""
    path = folder.result
    fresh = path.exists() and path.stat().st_mtime >= time.time() - seconds - 0.1
    return (folder.read_result() or {}) if fresh else {}
