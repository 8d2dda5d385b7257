"""The weights that a run has saved, read without changing anything in its folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrsched.checkpoint.best import BEST_WEIGHTS
from lrsched.checkpoint.lock import holder
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store
from lrsched.console import say
from lrsched.errors import CheckpointError, ConfigError, nearest
from lrsched.records import RunFolder

WEIGHTS = ("last", "best", "average")
"""Which weights of a run there are: those of its newest checkpoint, of its best evaluation, and their average."""

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
        ConfigError: no such weights, or a run without an evaluation has no best ones.
        CheckpointError: the run has no valid checkpoint.
    """
    if which not in WEIGHTS:
        raise ConfigError("weights", which, f"must be one of {', '.join(WEIGHTS)}", nearest(str(which), WEIGHTS))
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
