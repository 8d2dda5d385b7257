"""The life of one run: from settings to a run folder with a result, whatever happens."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from lrsched.app.build import Parts, assemble
from lrsched.app.messages import say
from lrsched.app.naming import config_sha256
from lrsched.checkpoint import Store
from lrsched.checkpoint.store import load
from lrsched.config import schema
from lrsched.config.targets import LOGGER, build
from lrsched.errors import ConfigError, Stopped, StorageError, UserError
from lrsched.loggers.base import Logger, RunInfo
from lrsched.loggers.summary import one_line, summary
from lrsched.loggers.terminal import Terminal
from lrsched.records import RunFolder, write_atomically, write_json
from lrsched.train.evaluate import evaluate
from lrsched.train.journal import Journal
from lrsched.train.loop import Outcome, Trainer
from lrsched.train.machine import fingerprint, prepare
from lrsched.train.profile import profiled
from lrsched.train.signals import StopFlag
from lrsched.train.state import weights_sha256

log = logging.getLogger("lrsched")


def execute(
    run: schema.Run, config: Mapping[str, Any], yaml: str, folder: RunFolder, *, resume: bool, quiet: bool
) -> dict[str, Any]:
    """Make one run, or the rest of it.

    Everything is built before the folder is made: a config that cannot be used leaves nothing behind.

    Args:
        run: the settings; config: the same as a resolved dict; yaml: the same as it was composed.
        folder: of the run.
        resume: go on from the newest valid checkpoint in it.
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
    offset = _restore(parts, store) if resume else 0
    info = RunInfo(
        folder=folder.path,
        config=config,
        steps=parts.horizon.steps,
        steps_per_epoch=parts.horizon.steps_per_epoch,
        samples_per_step=parts.loader.samples_per_step,
        resumed_at=parts.state.step if resume else None,
    )
    for caution in parts.cautions:
        say(f"warning: {caution}")
    loggers = _loggers(run, terminal=run.trainer.progress and not quiet)
    _open(folder, yaml, new=not resume)
    for logger in loggers:
        logger.open(info)

    handler = _log_to(folder)
    journal = Journal(folder, loggers, offset, info.resumed_at)
    for caution in parts.cautions:
        log.warning(caution)
    log.info("%s at step %d of %d", "resumed" if resume else "started", parts.state.step, parts.horizon.steps)
    result: dict[str, Any] = {"status": "failed", "metrics": {}}
    try:
        with StopFlag() as stop, _profile(run, folder):
            validate = partial(evaluate, parts.state.model, parts.validation, parts.precision, "val")
            trainer = Trainer(
                parts.state, parts.update, validate, parts.horizon, parts.timetable, store, journal, about, stop
            )
            outcome = trainer.run()
        result = _result(parts, store, outcome, about)
    except Exception as error:
        log.exception("the run failed")
        result = _result(parts, store, Outcome("failed", f"{type(error).__name__}: {error}"), about, test=False)
        raise _told(error, folder) from error
    finally:
        journal.close(result["metrics"], result["status"])
        write_json(folder.result, result)
        log.info("%s: %s", result["status"], result["reason"])
        log.removeHandler(handler)
        handler.close()
    if quiet:
        one_line(result, folder.path)
    else:
        summary(result, folder.path, tensorboard="tensorboard" in (run.logger or {}))
    if outcome.signal is not None:
        raise Stopped(outcome.signal, f"{outcome.reason} at step {parts.state.step}; {_how_to_resume(folder)}")
    return result


def _restore(parts: Parts, store: Store) -> int:
    """Load the newest valid checkpoint; returns the bytes of metrics.jsonl that belong to it."""
    checkpoint, state, complaints = store.newest()
    for complaint in complaints:
        say(f"{complaint}; going on from step {checkpoint.step}")
    parts.state.load_state_dict(state)
    return int(state["metrics_bytes"])


def _loggers(run: schema.Run, *, terminal: bool) -> list[Logger]:
    chosen = [build(LOGGER, node, f"logger.{name}") for name, node in (run.logger or {}).items()]
    return [*chosen, Terminal()] if terminal else chosen


def _open(folder: RunFolder, yaml: str, *, new: bool) -> None:
    """Make the folder; the config is the first thing in it."""
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if new:
            write_atomically(folder.config, yaml.encode())
    except OSError as error:
        raise StorageError(f"the run folder {folder} cannot be written: {error.strerror}") from error


def _log_to(folder: RunFolder) -> logging.Handler:
    handler = logging.FileHandler(folder.log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return handler


def _profile(run: schema.Run, folder: RunFolder) -> AbstractContextManager[object]:
    return profiled(folder.path) if run.trainer.profile else nullcontext()


def _result(
    parts: Parts, store: Store, outcome: Outcome, about: Mapping[str, Any], *, test: bool = True
) -> dict[str, Any]:
    """What the run leaves to say; the test part is looked at once, here, by the final and by the best weights."""
    state = parts.state
    digest = weights_sha256(state.model)
    metrics, best = dict(state.metrics), {"step": state.best.step, **state.best.metrics}
    if test and outcome.status == "finished":
        on_test: Callable[[], dict[str, float]] = partial(evaluate, state.model, parts.test, parts.precision, "test")
        metrics |= on_test()
        best |= metrics if state.best.step == state.step else _with_best_weights(parts, store, on_test)
        best["step"] = state.best.step
    seconds = state.seconds
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "step": state.step,
        "epoch": state.step / parts.horizon.steps_per_epoch,
        "metrics": metrics,
        "best": best,
        "weights_sha256": digest,
        "train_seconds": seconds,
        "samples_per_second": parts.loader.samples * state.step / parts.horizon.steps_per_epoch / seconds
        if seconds
        else None,
        "skipped": state.skipped,
        **about,
    }


def _with_best_weights(parts: Parts, store: Store, look: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Metrics of the best checkpoint's weights; the final ones are put back."""
    model = parts.state.model
    for checkpoint in store.committed():
        if checkpoint.step == parts.state.best.step:
            final = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            model.load_state_dict(load(checkpoint)["model"])
            metrics = look()
            model.load_state_dict(final)
            return metrics
    return {}


def _told(error: Exception, folder: RunFolder) -> UserError:
    """The error as the door reports it: a user's own with where to go on, a bug of ours with where its traceback is."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, UserError):
        return type(error)(f"{error}; {_how_to_resume(folder)}")
    if isinstance(error, OSError):
        return StorageError(f"{error.strerror}: {error.filename}; {_how_to_resume(folder)}")
    return UserError(f"{type(error).__name__}: {error}. This is a bug of ours; the traceback is in {folder.log}")


def _how_to_resume(folder: RunFolder) -> str:
    return f"go on with: python train.py resume={os.fspath(folder.path)}"
