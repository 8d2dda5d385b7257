"""A run that goes on, cut where its settings changed: to look at all of it beforehand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import pairwise

from lrsched.assembly.clock import foreseen_clock
from lrsched.checkpoint.store import Store
from lrsched.compose.nodes import plain
from lrsched.config.settings import Settings, settings
from lrsched.console import say
from lrsched.data.clock import Clock
from lrsched.records import DATA
from lrsched.runs.newest import newest, records, undone
from lrsched.runs.request import RunRequest


@dataclass(frozen=True)
class Era:
    """The updates from ``start`` on, up to the next era or the end: their settings, and the clock that they follow."""

    start: int
    run: Settings
    clock: Clock


def eras(run: Settings, request: RunRequest) -> list[Era]:
    """What a run did and what it will do, oldest first; none where no checkpoint says so.

    Args:
        run: the settings to go on with.
        request: the run's folder, and the same settings as a config.

    Raises:
        CheckpointError: none of the checkpoints is valid.
    """
    store = Store(request.folder.checkpoints)
    if not store.found():
        return []
    found = newest(run, request, store)
    for complaint in found.complaints:
        say(f"passed over: {complaint}; looking ahead from step {found.checkpoint.step}")
    foreseen = foreseen_clock(run, found.earlier)
    if foreseen is None:
        return []
    clock, exact = foreseen
    if not exact:
        say("warning: the samples change in the middle of an epoch: the rest of it may have an update more or less")
    changes = [asdict(change) for change in run.checkpoint.changes if DATA not in change.keys]
    seen = [change["at"] for change in records(found.checkpoint.manifest, "changes") if DATA not in change["keys"]]
    starts = [0, *seen, *[found.checkpoint.step] * (len(changes) - len(seen))]
    made: list[Era] = []
    for number, (start, end) in enumerate(pairwise(starts)):
        if start < end:
            before = settings(plain(undone(request.config, changes[number:])), request.context.objects)
            made.append(Era(start, before, _as_it_was(clock.of_update(start), before, made[-1] if made else None)))
    return [*made, Era(starts[-1], run, clock)]


def _as_it_was(clock: Clock, run: Settings, before: Era | None) -> Clock:
    """The clock of an earlier era: the newest one alone keeps its unit, and whether the length is in steps."""
    in_steps, unit = run.trainer.steps is not None, Fraction(1)
    if before is not None and not in_steps and run.scheduler == before.run.scheduler:
        unit = before.clock.unit * clock.pace.steps_per_epoch / before.clock.pace.steps_per_epoch
    return replace(clock, in_steps=in_steps, unit=unit)
