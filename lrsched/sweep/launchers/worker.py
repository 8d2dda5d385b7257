"""One job of a sweep in a process of its own, and what became of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrsched.checkpoint.fork_point import Share
from lrsched.compose.errors import PASSED_OVER
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.ended import Ended, ending_of
from lrsched.errors import NotFinite, Stopped, UserError
from lrsched.records import RunFolder
from lrsched.runs.resume import finished
from lrsched.signals import SIGNALS, StopFlag
from lrsched.sweep.processes import End, Job, Pool

inside = False
"""Whether this process was forked for one job: what happens in it happens to no other."""

share = Share()
"""What the run of this process has in common with others of its sweep."""

_threads: int | None = None
"""torch's own choice of threads, before this process was made fit for forking."""


def job_of(folder: RunFolder, run: Callable[[], int], shared: Callable[[], Share] = Share) -> Job:
    """The process that makes one run; what it prints goes beside the run folder, which it makes itself.

    Args:
        folder: of the run.
        run: makes it; returns the exit code.
        shared: what it has in common with others, asked when it begins.
    """

    def within() -> int:
        global inside, share
        inside, share = True, shared()
        if _threads is not None:
            import torch

            torch.set_num_threads(_threads)
        return run()

    return Job(folder.path.name, within, output_of(folder))


def output_of(folder: RunFolder) -> Path:
    """Where a job prints while it runs: it makes its run folder itself, once its config is known to be good."""
    return folder.path.parent / f".{folder.path.name}.log"


def _keep(folder: RunFolder) -> Path:
    """What a job printed that did not end well: in its run folder, or beside where that would be."""
    if not folder.holds_a_run():
        with suppress(OSError):
            folder.path.rmdir()  # Hydra made it; it is empty, or it stays
    kept = _places(folder)[0 if folder.path.is_dir() else 1]
    with suppress(FileNotFoundError):
        os.replace(output_of(folder), kept)
    return kept


def _places(folder: RunFolder) -> tuple[Path, Path]:
    return folder.path / "output.log", folder.path.with_name(f"{folder.path.name}.log")


def run_isolated(folder: RunFolder, run: Callable[[], int], stop: StopFlag, timeout: float | None) -> None:
    """Make one run in a process of its own, and wait for it.

    Raises:
        UserError: it did not finish, and why.
    """
    ends: list[End] = []
    with stop.patient():
        Pool(1, timeout=timeout).run([job_of(folder, run)], stop, lambda _, end: not ends.append(end))
    repeat(folder)
    error = verdict(folder, ends[0])
    if error is not None:
        raise error


def warm(runs: list[Settings]) -> None:
    """Import what every job needs and load each data set once, before the first fork.

    With one thread: a pool of threads does not survive a fork, and torch makes it with the first operation.
    """
    global _threads
    import torch

    import lrsched.runs.execute  # noqa: F401
    from lrsched.assembly.data import share_data
    from lrsched.assembly.kinds import is_native

    _threads = _threads or torch.get_num_threads()
    torch.set_num_threads(1)
    if any(is_native(run.scheduler) for run in runs):
        import torch._dynamo  # (a second or two, and the first step with such a scheduler asks for it)
    if any("tensorboard" in run.logger for run in runs):
        import tensorboard.compat.proto.event_pb2
        import tensorboard.summary.writer.record_writer  # noqa: F401
    for run in runs:
        share_data(run)


def cool() -> None:
    """Let go of what was loaded for the jobs."""
    from lrsched.assembly.data import forget_shared

    forget_shared()


def paused(folder: RunFolder) -> str:
    """Where a run was left, to be resumed or not (``sweep.until``); nothing if it was not."""
    result = folder.read_result() or {}
    return str(result.get("reason")) if ending_of(result).ended is Ended.PAUSED else ""


def error_of(result: Mapping[str, Any]) -> UserError:
    """Why a run failed, by its result."""
    reason = str(result.get("reason"))
    return NotFinite(reason) if ending_of(result).ended is Ended.DIVERGED else UserError(reason)


def repeat(folder: RunFolder) -> None:
    """Say what a job said of states that it passed over: its output is removed, or kept where nobody looks."""
    for told in _said(output_of(folder)):
        if told.startswith(PASSED_OVER):
            say(f"[{folder.path.name}] {told}")


def verdict(folder: RunFolder, end: End) -> UserError | None:
    """Why a run did not finish, by its result where it wrote one, else by how its process ended; None if it did."""
    if end.code == 0 and (finished(folder) or paused(folder)):
        for path in (output_of(folder), *_places(folder)):
            path.unlink(missing_ok=True)
        return None
    output = _keep(folder)
    if end.timed_out or end.signal is not None:
        return UserError(end.words)
    result = result_within(folder, end.seconds)
    code = end.code or 0
    said = _said(output)
    reason = str(result.get("reason") or (said[-1] if said else ""))
    if code - 128 in SIGNALS:  # before it began, there is no result
        return Stopped(code - 128, reason)
    reason = reason or f"{end.words}, before it was finished; see {output}"
    error = error_of({**result, "reason": reason})
    error.exit_code = code or 1
    return error


def result_within(folder: RunFolder, seconds: float) -> Mapping[str, Any]:
    """The result of a run if it was written in the last so many seconds; else it is an earlier attempt's: nothing."""
    path = folder.result
    fresh = path.exists() and path.stat().st_mtime >= time.time() - seconds - 0.1
    return (folder.read_result() or {}) if fresh else {}


def _said(path: Path) -> list[str]:
    """The messages in what a job printed."""
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    return [line.removeprefix("lrsched: ") for line in lines if line.startswith("lrsched: ")]
