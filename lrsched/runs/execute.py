"""The life of one run: from settings to a run folder with a result, whatever happens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from lrsched.assembly.parts import Parts, assemble
from lrsched.checkpoint.fork_point import kept_by
from lrsched.checkpoint.store import Store
from lrsched.compose.nodes import plain, to_yaml
from lrsched.compose.secrets import unmasked
from lrsched.config.digest import config_sha256
from lrsched.config.settings import Settings
from lrsched.console import command, say
from lrsched.ended import Ended, ended_by
from lrsched.errors import NotFinite, Stopped, StorageError
from lrsched.loggers.base import Logger, RunInfo
from lrsched.loggers.slots import ProgressSlot
from lrsched.loggers.summary import one_line, summary
from lrsched.loggers.terminal import Terminal
from lrsched.records import RunFolder, write_atomically
from lrsched.runs.finish import advised, finish, how_to_resume, log, logged
from lrsched.runs.fork import begin, find
from lrsched.runs.request import RunRequest, claim
from lrsched.runs.restore import Restored, restore, with_history
from lrsched.runs.result import result_of, with_test
from lrsched.runs.steps import FORK
from lrsched.signals import StopFlag
from lrsched.train.environment import fingerprint, prepare
from lrsched.train.evaluate import evaluate
from lrsched.train.forks import Forks
from lrsched.train.journal import Journal
from lrsched.train.loop import Outcome, Trainer
from lrsched.train.profile import profiled
from lrsched.train.recovery import Recovery


def execute(run: Settings, request: RunRequest, held: ExitStack, stop: StopFlag, *, quiet: bool) -> dict[str, Any]:
    """Make one run, or the rest of it.

    Everything is built before the folder is made: a config that cannot be used leaves nothing behind.
    Nor is anything written to the folder of a run that goes on before its checkpoint is loaded.

    Args:
        run: the settings.
        request: the config that they are of, where, and what is to be done; a run that goes on is locked.
        held: keeps the lock of a run that starts.
        stop: raised by a signal; once the run folder is there, it waits until the run is at rest.
        quiet: no progress, and one line at the end instead of a block.

    Returns:
        What ``result.json`` holds.

    Raises:
        UserError: the run did not finish; its exit code says why. The result is written all the same.
    """
    device = prepare(run.device, run.threads, run.trainer.deterministic)
    parts = assemble(run, device, request.context.data)
    shown, secrets = unmasked(request.config)
    about = {
        "config_sha256": config_sha256(plain(request.config)),
        "data_sha256": parts.data_sha256,
        "fingerprint": fingerprint(device, run.trainer.precision),
    }
    restored = None
    store, point = Store(request.folder.checkpoints), request.context.share.begin
    fresh = not request.resume or (not store.found() and not _size(request.folder.metrics))
    if request.resume and fresh:
        say(f"{request.folder} was ended before its first checkpoint, and lost nothing: it begins at step 0")
    elif request.resume:
        restored = restore(parts, run, request, store, about)
        request = with_history(request, restored.about["changes"])
    shared = find(point, about, request.context.warn) if point is not None and fresh else None
    for caution in parts.cautions:
        say(f"warning: {caution}")
    loggers = _loggers(run, request.context.progress, terminal=run.trainer.progress and not quiet)
    with stop.patient(), ExitStack() as ends:
        request = _enter(request, held)
        ends.enter_context(logged(request.folder, secrets))
        if point is not None and shared is not None:
            restored = begin(parts, request.folder, store, point, shared, about)
        _begin_log(run, parts, restored)
        result, outcome = _train(run, parts, request, loggers, (shown, secrets), restored, about, stop)
    if outcome.ended.status == "finished":
        stop.settle()
    if quiet:
        one_line(result, request.folder.path)
    else:
        summary(result, request.folder.path, command(), tensorboard="tensorboard" in run.logger)
    if outcome.signal is not None:
        raise Stopped(outcome.signal, f"{outcome.reason} at step {parts.state.step}; {how_to_resume(request.folder)}")
    return result


def _enter(request: RunRequest, held: ExitStack) -> RunRequest:
    """Become the only writer of the run folder, and make it ready: nothing was written to it before."""
    if not request.resume:
        request, lock = claim(request)
        held.callback(lock.release)
    Store(request.folder.checkpoints).sweep()  # what a killed process left half-written
    if not request.resume or request.changed:
        _write_config(request)
    request.folder.result.unlink(missing_ok=True)  # a run that goes on has none
    return request


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _train(
    run: Settings,
    parts: Parts,
    request: RunRequest,
    loggers: list[Logger],
    config: tuple[Mapping[str, Any], Mapping[str, str]],
    restored: Restored | None,
    about: Mapping[str, Any],
    stop: StopFlag,
) -> tuple[dict[str, Any], Outcome]:
    """Train, and write the result, whatever it is. ``config``: as loggers are shown it, and what nobody is."""
    folder, (shown, secrets) = request.folder, config
    about = {**about, "changes": [], "inexact": []} if restored is None else restored.about
    result: dict[str, Any] = {"status": "failed", "ended": "error", "reason": "", "metrics": {}}
    journal = None

    def validate() -> dict[str, float]:
        return evaluate(parts.state.model, stop.watch(parts.validation), parts.precision, "val")

    try:
        journal = _journal(parts, folder, loggers, shown, restored)
        store = Store(folder.checkpoints)
        recovery = Recovery(run.trainer.on_nonfinite, parts.timetable.save, store, journal, say)
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
                Forks(Store(kept_by(folder)), request.context.share.keep),
            ).run()
        result = result_of(parts, outcome, about)
        if outcome.ended.status == "finished":
            result, outcome = with_test(result, parts, outcome, stop)
        return result, outcome
    except BaseException as error:
        log.exception("the run failed")
        result["reason"] = f"{type(error).__name__}: {error}"
        result = result_of(parts, Outcome(ended_by(error) or Ended.ERROR, result["reason"]), about)
        if isinstance(error, NotFinite):
            result["nonfinite"] = error.report()
            log.error("not finite: %s", result["nonfinite"])  # with all samples
        raise advised(error, folder) from error
    finally:
        finish(folder, journal, result, secrets)


def _begin_log(run: Settings, parts: Parts, restored: Restored | None) -> None:
    for caution in parts.cautions:
        log.warning(caution)
    log.info("%s at step %d of %d", "resumed" if restored else "started", parts.state.step, parts.horizon.steps)
    for change in run.trainer.extensions:
        log.info("planned for another length until step %d; from there on: %s", change.at, change.policy)
    for note in restored.notes if restored else ():
        log.warning(note)


def _loggers(run: Settings, progress: ProgressSlot | None, *, terminal: bool) -> list[Logger]:
    chosen: list[Logger] = [logger.build() for logger in run.logger.values()]
    if progress is not None:
        chosen.append(progress)
    return [*chosen, Terminal()] if terminal else chosen


def _write_config(request: RunRequest) -> None:
    """The config is the first thing in a run folder: who has one is a run."""
    config = request.config if request.kept is None else request.kept
    try:
        write_atomically(request.folder.config, to_yaml(config).encode())
    except OSError as error:
        raise StorageError(f"the run folder {request.folder} cannot be written: {error.strerror}") from error


def _journal(
    parts: Parts, folder: RunFolder, loggers: list[Logger], config: Mapping[str, Any], restored: Restored | None
) -> Journal:
    """Everybody who listens, told about the run."""
    forked = restored is not None and restored.forked
    resumed_at = None if restored is None or forked else parts.state.step
    horizon = parts.horizon
    info = RunInfo(
        folder.path, config, horizon.steps, horizon.steps_per_epoch, parts.loader.samples_per_step, resumed_at
    )
    for logger in loggers:
        logger.open(info)
    journal = Journal(folder, loggers, restored.offset if restored else 0, 0 if forked else resumed_at, info)
    if forked:
        journal.timing(FORK, step=parts.state.step)
        journal.flush()
    return journal
