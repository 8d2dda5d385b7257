"""Take part in a run as another process than rank 0: the same updates, and nothing is written or printed."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from lrsched.config.blame import CodeError, is_out_of_memory, place_of, raised
from lrsched.errors import UserError
from lrsched.ranks.join import NoRun, joined
from lrsched.ranks.line import Line
from lrsched.ranks.place import Place
from lrsched.ranks.world import RankLost, World
from lrsched.records import RunFolder
from lrsched.runs.result import with_test
from lrsched.runs.together.silent import NOWHERE, SilentForks, SilentJournal, SilentSnapshots, SilentStore
from lrsched.runs.together.tell import Told, assembled, follow_state
from lrsched.runs.together.trainer import Outlets, trainer_of
from lrsched.signals import StopFlag
from lrsched.train.timetable import Outcome

TRACE = 16_000
"""Characters of a traceback that rank 0 is told."""


def follow(place: Place, stop: StopFlag) -> int:
    """Take part in the run of rank 0, from its beginning to its end.

    Args:
        place: of this process.
        stop: patient; a signal stops the run at rest, as one to rank 0 does.

    Returns:
        The exit code: 0, 128+n after a signal, and 1 where another process was lost, or that of an error here: rank 0
        reports it.
    """
    try:
        with joined(place, None) as world:
            return _take_part(place, world, stop)
    except NoRun:
        return 0
    except UserError as error:
        return error.exit_code


def _take_part(place: Place, world: World, stop: StopFlag) -> int:
    assert isinstance(world.guard, Line)
    try:
        outcome = _trained(world.tell(_told), place, world, stop)
    except RankLost as error:
        world.guard.close(after=str(error))
        leave(error.exit_code)  # to free what waits for the lost process could take for ever
    except BaseException as error:
        found = _as_user_error(error)
        world.guard.close(error=str(found), code=found.exit_code, trace=traceback.format_exc()[-TRACE:])
        raise found from error
    return 0 if outcome.signal is None else 128 + outcome.signal


def leave(code: int) -> NoReturn:
    """End this process at once."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _told() -> Told:
    raise AssertionError("rank 0 alone tells")


def _trained(told: Told, place: Place, world: World, stop: StopFlag) -> Outcome:
    run = told.run
    parts, about = assembled(run, place, world, ExitStack(), data={}, earlier=told.earlier)
    follow_state(world, parts.state)
    outlets = Outlets(
        store=SilentStore(),
        journal=SilentJournal(),
        tell=lambda message: None,
        snapshots=SilentSnapshots(NOWHERE, parts.minima) if parts.minima else None,
        forks=SilentForks(told.keeps),
    )

    def go_back(checkpoint: object, saved: dict[str, object]) -> None:
        follow_state(world, parts.state)

    try:
        outcome = trainer_of(
            parts, outlets, stop, on_nonfinite=run.trainer.on_nonfinite, about=about, go_back=go_back
        ).run()
        if outcome.ended.status == "finished":
            outcome = with_test({"metrics": {}, "best": {}}, parts, outcome, stop, RunFolder(Path(NOWHERE)))[1]
        return outcome
    finally:
        parts.loader.close()


def _as_user_error(error: BaseException) -> UserError:
    """The error as rank 0 reports it: what it is, and whose."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, Exception) and is_out_of_memory(error):
        return UserError(f"out of memory: {(str(error).splitlines() or [''])[0]}")
    if place_of(error):
        return CodeError(
            f"{raised(error)}: the code at fault is not ours; its traceback is in the run's train.log; mend it"
        )
    return UserError(f"{type(error).__name__}: {error}. This is a bug of ours")
