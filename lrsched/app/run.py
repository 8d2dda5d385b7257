"""The life of one run: from settings to a run folder with a result, whatever happens."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from lrsched.app.build import Parts, assemble
from lrsched.app.messages import say
from lrsched.app.naming import command, config_sha256
from lrsched.app.result import result_of, with_test
from lrsched.checkpoint import Store
from lrsched.config import schema
from lrsched.config.targets import LOGGER, build
from lrsched.errors import ConfigError, NotFinite, Stopped, StorageError, UserError
from lrsched.loggers.base import Logger, RunInfo
from lrsched.loggers.summary import one_line, summary
from lrsched.loggers.terminal import Terminal
from lrsched.records import RunFolder, write_atomically, write_json
from lrsched.signals import StopFlag
from lrsched.train.evaluate import evaluate
from lrsched.train.journal import Journal
from lrsched.train.loop import Outcome, Trainer
from lrsched.train.machine import fingerprint, prepare
from lrsched.train.profile import profiled
from lrsched.train.recovery import Recovery

log = logging.getLogger("lrsched")


def execute(
    run: schema.Run,
    config: Mapping[str, Any],
    yaml: str,
    folder: RunFolder,
    job: str,
    stop: StopFlag,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Make one run, or the rest of it.

    Everything is built before the folder is made: a config that cannot be used leaves nothing behind.

    Args:
        run: the settings; config: the same as a resolved dict; yaml: the same as it was composed.
        folder: of the run.
        job: ``start``, or ``resume`` from the newest valid checkpoint, or ``lengthen``: resume with a new config.
        stop: raised by a signal; once the run folder is there, it waits until the run is at rest.
        quiet: no progress, and one line at the end instead of a block.

    Returns:
        What ``result.json`` holds.

    Raises:
        UserError: the run did not finish; its exit code says why. The result is written all the same.
    """
    device = prepare(run.device, run.threads, run.trainer.deterministic)
    parts = assemble(run, device)
    about = {"config_sha256": config_sha256(config), "fingerprint": fingerprint(device, run.trainer.precision)}
    store = Store(folder.checkpoints)
    resume = job != "start"
    offset = _restore(parts, store) if resume else None
    for caution in parts.cautions:
        say(f"warning: {caution}")
    loggers = _loggers(run, terminal=run.trainer.progress and not quiet)
    if job != "resume":
        _make(folder, yaml)
    folder.result.unlink(missing_ok=True)  # a run that goes on has none
    with stop.patient(), _logged(folder):
        for caution in parts.cautions:
            log.warning(caution)
        log.info("%s at step %d of %d", "resumed" if resume else "started", parts.state.step, parts.horizon.steps)
        for change in run.trainer.extensions:
            log.info("planned for another length until step %d; from there on: %s", change.at, change.policy)
        journal = _journal(parts, folder, loggers, config, offset)
        result, outcome = _train(run, parts, store, journal, folder, about, stop)
    if quiet:
        one_line(result, folder.path)
    else:
        summary(result, folder.path, command(), tensorboard="tensorboard" in (run.logger or {}))
    if outcome.signal is not None:
        raise Stopped(outcome.signal, f"{outcome.reason} at step {parts.state.step}; {_how_to_resume(folder)}")
    return result


def _train(
    run: schema.Run,
    parts: Parts,
    store: Store,
    journal: Journal,
    folder: RunFolder,
    about: Mapping[str, Any],
    stop: StopFlag,
) -> tuple[dict[str, Any], Outcome]:
    """Train, and write the result, whatever it is."""
    result: dict[str, Any] = {"status": "failed", "metrics": {}}

    def validate() -> dict[str, float]:
        return evaluate(parts.state.model, stop.watch(parts.validation), parts.precision, "val")

    recovery = Recovery(run.trainer.on_nonfinite, parts.timetable.save, store, journal, say)
    try:
        with profiled(folder.path) if run.trainer.profile else nullcontext():
            outcome = Trainer(
                parts.state,
                parts.update,
                validate,
                parts.horizon,
                parts.timetable,
                store,
                journal,
                about,
                stop,
                recovery,
            ).run()
        result = result_of(parts, outcome, about)
        if outcome.status == "finished":
            result, outcome = with_test(result, parts, outcome, stop)
        return result, outcome
    except Exception as error:
        log.exception("the run failed")
        result = result_of(parts, Outcome("failed", f"{type(error).__name__}: {error}"), about)
        if isinstance(error, NotFinite):
            result["nonfinite"] = error.report()
            log.error("not finite: %s", result["nonfinite"])  # with all samples
        raise _told(error, folder) from error
    finally:
        journal.close(result["metrics"], result["status"])
        write_json(folder.result, result)
        log.info("%s: %s", result["status"], result.get("reason", ""))


def _restore(parts: Parts, store: Store) -> int:
    """Load the newest valid checkpoint; returns the bytes of metrics.jsonl that belong to it."""
    checkpoint, state, complaints = store.newest()
    for complaint in complaints:
        say(f"{complaint}; going on from step {checkpoint.step}")
    parts.state.load_state_dict(state)
    return parts.state.metrics_bytes


def _loggers(run: schema.Run, *, terminal: bool) -> list[Logger]:
    chosen = [build(LOGGER, node, f"logger.{name}") for name, node in (run.logger or {}).items()]
    return [*chosen, Terminal()] if terminal else chosen


def _make(folder: RunFolder, yaml: str) -> None:
    """Make the run folder; the config is the first thing in it."""
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        write_atomically(folder.config, yaml.encode())
    except OSError as error:
        raise StorageError(f"the run folder {folder} cannot be written: {error.strerror}") from error


def _journal(
    parts: Parts, folder: RunFolder, loggers: list[Logger], config: Mapping[str, Any], offset: int | None
) -> Journal:
    """Everybody who listens, told about the run; ``offset`` is None for a run that starts."""
    resumed_at = None if offset is None else parts.state.step
    horizon = parts.horizon
    info = RunInfo(
        folder.path, config, horizon.steps, horizon.steps_per_epoch, parts.loader.samples_per_step, resumed_at
    )
    for logger in loggers:
        logger.open(info)
    return Journal(folder, loggers, offset or 0, resumed_at, info)


@contextmanager
def _logged(folder: RunFolder) -> Iterator[None]:
    """The log goes to the run folder's ``train.log``."""
    handler = logging.FileHandler(folder.log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _told(error: Exception, folder: RunFolder) -> UserError:
    """The error as the door reports it: a user's own with where to go on, a bug of ours with where its traceback is."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, NotFinite):  # the same steps would come to the same end
        return error.advised(
            "start again with a lower optimizer.lr, a warm-up or trainer.clip_norm=1, "
            "or pass over such batches: trainer.on_nonfinite=skip"
        )
    if isinstance(error, UserError):
        return type(error)(f"{error}; {_how_to_resume(folder)}")
    if isinstance(error, OSError):
        return StorageError(f"{error.strerror}: {error.filename}; {_how_to_resume(folder)}")
    return UserError(f"{type(error).__name__}: {error}. This is a bug of ours; the traceback is in {folder.log}")


def _how_to_resume(folder: RunFolder) -> str:
    return f"go on with: {command()} resume={os.fspath(folder.path)}"
