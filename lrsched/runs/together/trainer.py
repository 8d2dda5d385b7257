"""The trainer of a run, equal on all of its processes but for what it writes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from lrsched.assembly.parts import Parts
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.snapshots import Snapshots
from lrsched.checkpoint.store import Store
from lrsched.runs.result import evaluated
from lrsched.signals import StopFlag
from lrsched.train.forks import Forks
from lrsched.train.journal import Journal
from lrsched.train.loop import Trainer
from lrsched.train.recovery import Recovery


@dataclass(frozen=True, kw_only=True)
class Outlets:
    """What the trainer writes to: files on rank 0, and nothing at all on others.

    Args:
        store: of checkpoints.
        journal: of rows.
        tell: prints a message.
        show: makes pictures and texts of the model at a step, and changes nothing; or None.
        snapshots: of the weights, or None.
        forks: keeps what other runs start from, or None.
    """

    store: Store
    journal: Journal
    tell: Callable[[str], None]
    show: Callable[[nn.Module, int], Mapping[str, bytes | str]] | None = None
    snapshots: Snapshots | None = None
    forks: Forks | None = None


def trainer_of(
    parts: Parts,
    outlets: Outlets,
    stop: StopFlag,
    *,
    on_nonfinite: str,
    about: Mapping[str, Any],
    go_back: Callable[[Checkpoint, dict[str, Any]], None] | None = None,
) -> Trainer:
    """The trainer of some parts.

    Args:
        parts: at rest.
        outlets: what it writes to.
        stop: asked at rest whether to go on.
        on_nonfinite: as the config has it.
        about: what every manifest says.
        go_back: loads a checkpoint into the run after a number that is not finite; None: nothing else can have changed.
    """
    store, journal, save = outlets.store, outlets.journal, parts.timetable.save
    return Trainer(
        state=parts.state,
        update=parts.update,
        evaluate=lambda: evaluated(parts, parts.validation, "val", stop),
        horizon=parts.horizon,
        timetable=parts.timetable,
        store=store,
        journal=journal,
        about=about,
        stop=stop,
        recovery=Recovery(on_nonfinite, save, store, journal, outlets.tell, go_back, parts.world),
        forks=outlets.forks,
        show=outlets.show,
        snapshots=outlets.snapshots,
        world=parts.world,
    )
