"""Execute one run: from settings to a run folder with a result, however the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

from lrsched.assembly.parts import Parts
from lrsched.checkpoint.archive import require_loadable
from lrsched.checkpoint.fork_point import kept_by
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store
from lrsched.compose.nodes import plain
from lrsched.compose.secrets import unmasked
from lrsched.config.digest import config_sha256
from lrsched.config.given import require_same
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.ended import Ended, ended_by
from lrsched.errors import NotFinite, Stopped
from lrsched.loggers.base import Logger
from lrsched.loggers.slots import ProgressSlot
from lrsched.loggers.summary import one_line, summary
from lrsched.loggers.terminal import Terminal
from lrsched.ranks.world import RankLost, World
from lrsched.runs.apply_changes import adopt
from lrsched.runs.finish import advised, begin_log, finish, how_to_resume, log, logged, open_journal
from lrsched.runs.fork import begin, find
from lrsched.runs.initial import INITIAL, initial_weights
from lrsched.runs.newest import Newest, newest, settings_at
from lrsched.runs.request import RunRequest, claim, write_config
from lrsched.runs.restore import Restored, bytes_in, restore, with_history
from lrsched.runs.result import result_of, with_test
from lrsched.runs.snapshots import opened
from lrsched.runs.together.lead import led, speak_last
from lrsched.runs.together.tell import assembled, follow_state
from lrsched.runs.together.trainer import Outlets, trainer_of
from lrsched.signals import StopFlag
from lrsched.train.environment import threads_of
from lrsched.train.forks import Forks
from lrsched.train.journal import Journal
from lrsched.train.loop import Trainer
from lrsched.train.profile import profiled
from lrsched.train.timetable import Outcome


@dataclass(frozen=True, kw_only=True)
class _Execution:
    """A run whose folder is claimed and whose parts are built.

    Args:
        run: its settings.
        parts: at rest at the step to begin with.
        request: its folder and context.
        loggers: not open yet.
        shown: the config for loggers, without values of the environment.
        secrets: each value of the environment, and the text that stands for it in files.
        restored: the checkpoint that it goes on from, or None.
        about: what every manifest says.
        stop: raised by a signal.
    """

    run: Settings
    parts: Parts
    request: RunRequest
    loggers: list[Logger]
    shown: Mapping[str, Any]
    secrets: Mapping[str, str]
    restored: Restored | None
    about: Mapping[str, Any]
    stop: StopFlag


def execute(run: Settings, request: RunRequest, held: ExitStack, stop: StopFlag, *, quiet: bool) -> dict[str, Any]:
    """Make one run, or the rest of it.

    Build everything before the folder is made: an unusable config leaves nothing behind.
    Load the checkpoint of a resumed run before anything is written to its folder.

    Args:
        run: the settings.
        request: their config, the folder, and whether to resume; the caller has locked a resumed run.
        held: keeps the lock of a new run, and what the run sets in this process.
        stop: raised by a signal; once the run folder is there, it waits until the run is at rest.
        quiet: no progress, and one line at the end instead of a block.

    Returns:
        What ``result.json`` holds.

    Raises:
        UserError: the run did not finish; its exit code says why. The result is written all the same.
    """
    store, point = Store(request.folder.checkpoints), request.context.share.begin
    fresh = not request.resume or not (store.found() or bytes_in(request.folder.metrics))
    require_same(run.model, run.task, begun=not fresh)
    saved = None if fresh else newest(run, request, store)
    world = held.enter_context(led(run, request, saved, stop))
    parts, about = _assembled(run, request, saved, world, held)
    shown, secrets = unmasked(request.config)
    restored = None
    if request.resume and fresh:
        say(f"{request.folder} was ended before its first checkpoint, and lost nothing: it begins at step 0")
    elif saved is not None:
        restored = restore(parts, run, request, store, saved, about)
        request = with_history(request, restored.about["changes"])
    shared = find(point, about, request.context.warn) if point is not None and fresh else None
    if fresh:
        require_loadable(parts.state.state_dict())
    for caution in parts.cautions:
        say(f"warning: {caution}")
    loggers = _loggers(run, request.context.progress, terminal=run.trainer.progress and not quiet)
    with stop.patient(), ExitStack() as ends:
        request = _enter(request, held)
        ends.enter_context(logged(request.folder, secrets))
        if point is not None and shared is not None:
            restored = begin(parts, request.folder, store, point, shared, about)
        begin_log(run, parts, restored)
        result, outcome = _train(
            _Execution(
                run=run,
                parts=parts,
                request=request,
                loggers=loggers,
                shown=shown,
                secrets=secrets,
                restored=restored,
                about={**about, "changes": [], "inexact": []} if restored is None else restored.about,
                stop=stop,
            )
        )
    if outcome.ended.status == "finished":
        stop.settle()
    if quiet:
        one_line(result, request.folder.path)
    else:
        looks = [look for logger in loggers if (look := logger.look)]
        summary(result, request.folder.path, request.again, looks=looks)
    if outcome.signal is not None:
        how = how_to_resume(request.folder, request.again)
        raise Stopped(outcome.signal, f"{outcome.reason} at step {parts.state.step}; {how}")
    return result


def _assembled(
    run: Settings, request: RunRequest, saved: Newest | None, world: World, held: ExitStack
) -> tuple[Parts, dict[str, Any]]:
    """The parts, and what every manifest says; a new run alone reads the weights that it starts from."""
    begun = initial_weights(run) if saved is None else None
    initial, source = (None, saved and saved.begun_with) if begun is None else begun
    parts, about = assembled(
        run,
        request.place,
        world,
        held,
        data=request.context.data,
        earlier=None if saved is None else saved.earlier,
        initial=initial,
        before=None if saved is None else threads_of(saved.checkpoint.manifest),
    )
    digest = {"config_sha256": config_sha256(plain(request.config))}
    return parts, {**about, **digest, **({} if source is None else {INITIAL: source})}


def _enter(request: RunRequest, held: ExitStack) -> RunRequest:
    """Claim the run folder and make it ready; nothing was written to it before."""
    if not request.resume:
        request, lock = claim(request)
        held.callback(lock.release)
    Store(request.folder.checkpoints).tidy()  # what a killed process left half-written
    if not request.resume or request.changed:
        write_config(request)
    request.folder.result.unlink(missing_ok=True)  # a run that goes on has none
    request.context.entered(request.folder)
    return request


def _train(made: _Execution) -> tuple[dict[str, Any], Outcome]:
    """Train, and write the result, however the run ends."""
    parts, folder = made.parts, made.request.folder
    result: dict[str, Any] = {"status": "failed", "ended": "error", "reason": "", "metrics": {}}
    journal = None

    def last_words(said: str) -> None:
        finish(folder, None, {**result, "reason": f"RankLost: {said}"}, made.secrets, made.request.again)

    speak_last(parts.world, last_words)
    try:
        follow_state(parts.world, parts.state)
        journal = open_journal(made.parts, made.request, made.loggers, made.shown, made.restored)
        with profiled(folder.path) if made.run.trainer.profile else nullcontext():
            outcome = _trainer(made, journal).run()
        result = result_of(parts, outcome, made.about)
        if outcome.ended.status == "finished":
            result, outcome = with_test(result, parts, outcome, made.stop, folder)
        return result, outcome
    except BaseException as error:
        log.exception("the run failed")
        if isinstance(error, RankLost) and error.trace:
            log.error("it printed:\n%s", error.trace)
        result["reason"] = f"{type(error).__name__}: {error}"
        result = result_of(parts, Outcome(ended_by(error) or Ended.ERROR, result["reason"]), made.about)
        if isinstance(error, NotFinite):
            result["nonfinite"] = error.report()
            log.error("not finite: %s", result["nonfinite"])  # with all samples
        raise advised(error, folder, made.request.again, made.run.optimizer) from error
    finally:
        parts.loader.close()
        finish(folder, journal, result, made.secrets, made.request.again)


def _trainer(made: _Execution, journal: Journal) -> Trainer:
    """The trainer of a run, with all that it calls on."""
    parts, request = made.parts, made.request

    def go_back(checkpoint: Checkpoint, saved: dict[str, Any]) -> None:
        adopt(parts, saved, settings_at(checkpoint, made.run, request), made.run)
        follow_state(parts.world, parts.state)

    outlets = Outlets(
        store=Store(request.folder.checkpoints),
        journal=journal,
        tell=say,
        show=parts.show,
        snapshots=opened(parts, made.run, request.folder),
        forks=Forks(Store(kept_by(request.folder)), request.context.share.keep),
    )
    on_nonfinite = made.run.trainer.on_nonfinite
    return trainer_of(parts, outlets, made.stop, on_nonfinite=on_nonfinite, about=made.about, go_back=go_back)


def _loggers(run: Settings, progress: ProgressSlot | None, *, terminal: bool) -> list[Logger]:
    chosen: list[Logger] = [logger.build() for logger in run.logger.values()]
    if progress is not None:
        chosen.append(progress)
    return [*chosen, Terminal()] if terminal else chosen
