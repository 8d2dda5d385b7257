"""Open a run's files; close them, write its result, and advise its user, however it ended."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lrsched.assembly.parts import Parts
from lrsched.compose.hyperparameters import hyperparameters
from lrsched.compose.secrets import Redacting, redacted
from lrsched.config.blame import CodeError, is_out_of_memory, place_of, raised
from lrsched.config.component import Component
from lrsched.config.settings import Settings, base_rate
from lrsched.config.walk import flat
from lrsched.console import path_override, say, typed
from lrsched.errors import ConfigError, NotFinite, StateError, Stopped, StorageError, UserError, refused
from lrsched.loggers.base import Logger, RunInfo
from lrsched.records import RunFolder, write_json
from lrsched.runs.request import RunRequest
from lrsched.runs.restore import Restored
from lrsched.runs.steps import FORK
from lrsched.train.journal import Journal

log = logging.getLogger("lrsched")


@contextmanager
def logged(folder: RunFolder, secrets: Mapping[str, str]) -> Iterator[None]:
    """Log to the run folder's ``train.log``; keep values of the environment out of it."""
    handler = logging.FileHandler(folder.log, encoding="utf-8")
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(message)s", secrets))
    handler.handleError = lambda record: None  # report a full disk once, not at every line
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
        try:
            handler.close()
        except OSError as error:
            say(f"{folder.log}: {error.strerror}")


def begin_log(run: Settings, parts: Parts, restored: Restored | None) -> None:
    """Log how a run begins or goes on, and what is to be watched."""
    for caution in parts.cautions:
        log.warning(caution)
    log.info(
        "%s at step %d of %d",
        "resumed" if restored else "started",
        parts.state.step,
        parts.state.clock.steps(parts.horizon.steps),
    )
    for change in run.trainer.extensions:
        log.info("planned for another length until step %d; from there on: %s", change.at, change.policy)
    for note in restored.notes if restored else ():
        log.warning(note)


def open_journal(
    parts: Parts, request: RunRequest, loggers: Sequence[Logger], shown: Mapping[str, Any], restored: Restored | None
) -> Journal:
    """Open the loggers and the files of rows.

    Args:
        parts: of the run, at rest at the step to begin with.
        request: its folder and context.
        loggers: not open yet.
        shown: the config for loggers, without values of the environment.
        restored: the checkpoint that the run goes on from, or None.
    """
    folder, forked = request.folder, restored is not None and restored.forked
    info = _info(parts, folder, shown, None if restored is None or forked else parts.state.step)
    for logger in loggers:
        logger.open(info)
    offset = restored.offset if restored else 0
    journal = Journal(folder, loggers, offset, 0 if forked else info.resumed_at, info)
    if forked:
        point = request.context.share.begin
        journal.timing(FORK, step=parts.state.step, source=None if point is None else point.source.path.name)
        journal.flush()
    return journal


def _info(parts: Parts, folder: RunFolder, shown: Mapping[str, Any], resumed_at: int | None) -> RunInfo:
    """The run, as loggers see it."""
    clock, above = parts.state.clock, folder.path.absolute().parent
    steps = clock.steps(parts.horizon.steps)
    return RunInfo(
        folder=folder.path,
        config=shown,
        steps=steps,
        steps_per_epoch=parts.horizon.steps_per_epoch,
        samples_per_step=parts.loader.samples_per_step,
        resumed_at=resumed_at,
        epochs=clock.epoch_at(steps) if clock.start else None,
        better=parts.better,
        units=parts.units,
        group=above.name if (above / "sweep.json").is_file() else None,
        hyperparameters=hyperparameters(flat(shown)),
        phases=[(clock.steps(place), name) for place, name in parts.state.scheduler.phases()],
    )


def finish(
    folder: RunFolder,
    journal: Journal | None,
    result: Mapping[str, Any],
    secrets: Mapping[str, str],
    again: Callable[[str], str] = typed,
) -> None:
    """Close the rows, then write the result, even if closing fails; ``again`` says how to go on with the run.

    Raises:
        StorageError: the file system refused.
    """
    failure: OSError | None = None
    try:
        if journal is not None:
            journal.close({**result["metrics"], **_best(result)}, result["status"])
    except OSError as error:
        failure = error
    try:
        write_json(folder.result, redacted(result, secrets))
    except OSError as error:
        failure = error
    log.info("%s: %s", result["status"], result.get("reason", ""))
    if failure is not None:
        where = f"{failure.strerror}: {failure.filename or folder.result}"
        how = how_to_resume(folder, again)
        raise StorageError(f"{where}; the run is {result['status']} all the same; {how}") from failure


def _best(result: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a finished run's best evaluation, as ``best/NAME``; another run may still find a better one."""
    best = result.get("best") or {} if result["status"] == "finished" else {}
    return {f"best/{name}": value for name, value in best.items() if name != "step" and value is not None}


def advised(
    error: BaseException,
    folder: RunFolder,
    again: Callable[[str], str] = typed,
    optimizer: Component[Any] | None = None,
) -> UserError:
    """Add to an error how to go on; for an error of code, whose it is and where its traceback is."""
    how = how_to_resume(folder, again)
    if isinstance(error, (ConfigError, StateError)):
        return error
    if isinstance(error, NotFinite):  # a plain resume would fail at the same step
        lower = "…" if optimizer is None else f"{base_rate(optimizer) / 10:.3g}"
        words = f"{path_override('resume', folder.path)} optimizer.lr={lower} 'checkpoint.allow_change=[optimizer.lr]'"
        adaptive = optimizer is not None and "adam" in optimizer.target.lower()
        other = "" if adaptive else "with optimizer=adamw optimizer.lr=0.003, "
        advice = (
            f"go on from there with a lower rate: {again(words)}; or start again with a lower optimizer.lr, {other}a "
            "warm-up or trainer.clip_norm=1"
        )
        return error.advised(
            advice if error.tried else f"{advice}, or pass over such batches: trainer.on_nonfinite=skip"
        )
    if isinstance(error, Stopped):
        return Stopped(error.exit_code - 128, f"{error}; {how}")
    if isinstance(error, UserError):
        found = type(error)(f"{error}; {how}")
        found.exit_code = error.exit_code  # of another process's error
        return found
    if isinstance(error, OSError):
        return StorageError(f"{refused(error)}; {how}")
    if isinstance(error, KeyboardInterrupt):
        return Stopped(signal.SIGINT, f"interrupted; {how}")
    if is_out_of_memory(error):
        first = (str(error).splitlines() or [""])[0]
        return UserError(f"out of memory: {first}; {how} (a smaller dataset.batch_size needs a new run)")
    if place_of(error):
        where = f"the code at fault is not ours; its traceback is in {folder.log}"
        return CodeError(f"{raised(error)}: {where}; mend it, and {how}")
    return UserError(f"{type(error).__name__}: {error}. This is a bug of ours; the traceback is in {folder.log}")


def how_to_resume(folder: RunFolder, again: Callable[[str], str]) -> str:
    return f"go on with: {again(path_override('resume', folder.path))}"
