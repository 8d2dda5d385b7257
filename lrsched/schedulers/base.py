"""What a scheduler is: it sets values before an update, and may look at a metric after an evaluation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from torch.optim import Optimizer

from lrsched.errors import ConfigError, NotFinite


class Advice(Enum):
    """What a closed-loop scheduler asks of the trainer after it saw a metric."""

    NOTHING = "nothing"
    KEEP = "keep"
    """This is the best so far: keep a copy of weights and optimizer state."""
    RETURN = "return"
    """Go back to the copy that was kept."""


class Scheduler(ABC):
    """Drives the parameter groups of one optimizer.

    ``moves`` names the values of a group that it sets, in the order in which they are logged.
    """

    moves: tuple[str, ...] = ("lr",)

    @property
    def sees_metrics(self) -> bool:
        """Whether what it sets depends on metrics."""
        return type(self).observe is not Scheduler.observe

    @abstractmethod
    def set(self, step: int) -> None:
        """Put the values of update ``step`` (0-based) into force. Called before its forward pass;
        called again with the same step when an update is tried again."""

    def observe(self, step: int, metrics: Mapping[str, float]) -> Advice:
        """Look at the metrics of an evaluation made at rest, after ``step`` updates."""
        return Advice.NOTHING

    def rescale(self, ratios: Sequence[float]) -> None:  # noqa: B027  (a table keeps nothing of them)
        """The base rates were changed while the run is at rest, that of group i to ``ratios[i]`` times what it
        was, and so were the groups' rates in force: what the scheduler itself keeps of them follows."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that the config does not determine; loads under ``weights_only=True``."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state. The optimizer's state must have been loaded before."""


def monitored(monitor: str, metrics: Mapping[str, float], step: int, judge: object) -> float:
    """The metric that ``judge`` monitors, of an evaluation after ``step`` updates.

    Raises:
        ConfigError: the evaluation has no such metric.
        NotFinite: it is not a finite number, which is an error and not a bad evaluation.
    """
    if monitor not in metrics:
        known = f"known are: {', '.join(metrics)}"
        raise ConfigError("monitor", monitor, "is not a metric of an evaluation", known)
    metric = metrics[monitor]
    if not math.isfinite(metric):
        raise NotFinite(f"{monitor} is {metric} at step {step}: {type(judge).__name__} cannot judge it")
    return metric


def group_names(optimizer: Optimizer) -> list[str]:
    """Names of the parameter groups, for the log: all different."""
    named = names_of(optimizer.param_groups)
    if len(set(named)) != len(named):
        raise ConfigError("optimizer", ", ".join(named), "parameter groups have different names")
    return named


def names_of(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of parameter groups: ``default``, ``group1``, … where a group does not carry one."""
    return [group.get("name", "default" if i == 0 else f"group{i}") for i, group in enumerate(groups)]
