"""The weights that a run has saved, read without changing anything in its folder."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrsched.checkpoint.best import BEST_WEIGHTS
from lrsched.checkpoint.lock import holder
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store, load
from lrsched.console import say
from lrsched.errors import CheckpointError, ConfigError, suggestion
from lrsched.records import RunFolder
from lrsched.runs.snapshots import intact
from lrsched.units import count

WEIGHTS = ("last", "best", "average", "snapshot:STEP", "snapshots", "snapshots:NUMBER")
"""Which weights of a run there are: those of its newest checkpoint, of its best evaluation, their average, those of a
snapshot; and all snapshots together, or the latest so many."""

_TOGETHER = re.compile(r"snapshots(?::(\d{1,9}))?")
_SINGLE = re.compile(r"snapshot:(\d{1,15})")

LOOKS = 40
"""Times to read a folder while its run deletes every checkpoint for a newer one."""


@dataclass(frozen=True)
class Saved:
    """Weights in a checkpoint: the model's state by name, on the CPU, and the step that they are of."""

    checkpoint: Checkpoint
    step: int
    weights: Mapping[str, Any]


def saved_weights(folder: RunFolder, which: str = "last") -> Saved:
    """Read weights of a run from its newest valid checkpoint; damaged newer ones are said on stderr.

    Raises:
        ConfigError: no such weights, several together, or a run without an evaluation has no best ones.
        CheckpointError: the run has no valid checkpoint.
    """
    single = _SINGLE.fullmatch(str(which))
    if single is not None:
        return _of_snapshot(folder, int(single[1]))
    check_weights(which)
    if is_ensemble(which):
        rule = "are several models, and no weights of one"
        steps = ", ".join(str(member.step) for member in intact(folder)) or "of which it has none"
        raise ConfigError("weights", which, rule, f"predict and evaluate take them; one is snapshot:STEP, {steps}")
    checkpoint, state, complaints = _newest(folder)
    for complaint in complaints:
        say(f"passed over: {complaint}; taking the weights of step {checkpoint.step}")
    step, weights = checkpoint.step, state.get("model")
    if which == "best":
        weights, step = state.get(BEST_WEIGHTS), (state.get("best") or {}).get("step")
        if weights is None:
            rule = f"{folder} has made no evaluation with a finite {(state.get('best') or {}).get('monitor', 'metric')}"
            raise ConfigError("weights", which, rule, "take the last weights")
    if which == "average":
        average = state.get("average") or {}
        weights = average.get("model") if average.get("count") else None
        if weights is None:
            rule = "has taken no weights yet" if average else "has no average of its weights"
            raise ConfigError("weights", which, f"{folder} {rule}", "take the last weights, or train with average=ema")
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{checkpoint.path}: holds no weights of a model")
    return Saved(checkpoint, checkpoint.step if step is None else step, weights)


def check_weights(which: str) -> None:
    """Refuse weights that there are not.

    Raises:
        ConfigError: names those that there are.
    """
    plain = [name for name in WEIGHTS if name.islower()]
    if which not in plain and not _TOGETHER.fullmatch(str(which)) and not _SINGLE.fullmatch(str(which)):
        raise ConfigError("weights", which, f"must be one of {', '.join(WEIGHTS)}", suggestion(str(which), plain))


def is_ensemble(which: str) -> bool:
    """Whether several models are asked for together."""
    return _TOGETHER.fullmatch(which) is not None


def members_of(folder: RunFolder, which: str) -> list[Checkpoint]:
    """The snapshots that are asked for together, oldest first.

    Raises:
        ConfigError: the run has not so many.
    """
    found, asked = intact(folder), _TOGETHER.fullmatch(which)
    number = None if asked is None or asked[1] is None else int(asked[1])
    if not found:
        remedy = "take the last weights, or train with scheduler=snapshot"
        raise ConfigError("weights", which, f"{folder} has kept no snapshots", remedy)
    if number is not None and not 0 < number <= len(found):
        raise ConfigError("weights", which, f"{folder} has {count(len(found), 'snapshot')}", "give a number of them")
    return found if number is None else found[-number:]


def _of_snapshot(folder: RunFolder, step: int) -> Saved:
    found = {member.step: member for member in intact(folder)}
    if step not in found:
        steps = ", ".join(map(str, found))
        rule = f"{folder} has kept snapshots of the steps {steps}" if found else f"{folder} has kept no snapshots"
        remedy = "give one of them" if found else "take the last weights, or train with scheduler=snapshot"
        raise ConfigError("weights", f"snapshot:{step}", rule, remedy)
    return Saved(found[step], step, load(found[step])["model"])


def _newest(folder: RunFolder) -> tuple[Checkpoint, dict[str, Any], list[str]]:
    """The newest valid checkpoint; look again while a process deletes one for a newer one."""
    for _ in range(LOOKS):
        try:
            found = Store(folder.checkpoints).newest()
            if not found[2] or holder(folder.path) is None:
                return found
        except CheckpointError:
            if holder(folder.path) is None:
                raise
        time.sleep(0.05)
    return Store(folder.checkpoints).newest()
