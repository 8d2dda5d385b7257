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

    def phases(self) -> list[tuple[int, str]]:
        """The first step of each phase of the first group's plan, and its name; empty where no plan is known."""
        return []

    def levels(self) -> list[float] | None:
        """The level of each group, where a closed loop moves one; None where there is none, or none alone."""
        return None

    def judges_like(self, old: Scheduler) -> bool:
        """Whether what another closed loop has seen means the same to this one."""
        return False

    def go_on_from(self, old: Scheduler, ratios: Sequence[float]) -> None:
        """Take over the levels of the closed loop that drove the run until now, which is at rest.

        Args:
            old: the closed loop; what it has seen is taken over too if this one judges like it.
            ratios: the base rate of each group, as a multiple of the one before.

        Raises:
            ConfigError: the levels of the one cannot be those of the other.
        """
        raise self.cannot_follow(old)

    def cannot_follow(self, old: Scheduler) -> ConfigError:
        """The error of a closed loop that is to go on from one whose levels cannot be its own."""
        rule = f"the levels that {type(old).__name__} came to cannot be handed over to {type(self).__name__}"
        return ConfigError("scheduler", type(self).__name__, rule, "start a new run")

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


def within_bounds(
    levels: Sequence[float], ratios: Sequence[float], floors: Sequence[float], bases: Sequence[float]
) -> list[float]:
    """Levels after a change of the base rates: no level falls below its floor, unless the base rate lies there."""
    items = zip(levels, ratios, floors, bases, strict=True)
    return [max(level * ratio, min(floor, base)) for level, ratio, floor, base in items]


def group_names(optimizer: Optimizer) -> list[str]:
    """Names of the parameter groups, for the log: all different."""
    named = names_of(optimizer.param_groups)
    if len(set(named)) != len(named):
        raise ConfigError("optimizer", ", ".join(named), "parameter groups have different names")
    return named


def names_of(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of parameter groups: ``default``, ``group1``, … where a group does not carry one."""
    return [group.get("name", "default" if i == 0 else f"group{i}") for i, group in enumerate(groups)]
