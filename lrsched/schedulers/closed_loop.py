"""What closed loops share: a level for each group, a ramp in front, and a metric that they look at."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from torch.optim import Optimizer

from lrsched.horizon import Horizon
from lrsched.schedulers.base import Advice, Scheduler, monitored, within_bounds
from lrsched.schedules import Absolute, Constant


class ClosedLoop(Scheduler):
    """Sets each group to its level; a subclass moves the levels when it has observed a metric.

    Args:
        optimizer: its groups' rates at this moment are the base values, and the first levels.
        horizon: the run, for the length of the warm-up.
        monitor: the metric, looked at after every evaluation.
        ramp: its warm-up is the ramp in front, its ``final`` the bound that no level falls below.
    """

    mode: str
    window: int
    """Evaluations whose mean is judged."""

    kept: tuple[str, ...] = ("levels", "recent")
    """What a checkpoint holds: fields by name, without their underscore."""

    def __init__(self, optimizer: Optimizer, horizon: Horizon, monitor: str, ramp: Constant) -> None:
        self.monitor = monitor
        self._recent: list[float] = []
        self._warm = horizon.resolve(ramp.warmup, "warmup")
        self._ramp = ramp.plan(horizon).table()[: self._warm].tolist()
        self._optimizer = optimizer
        self._levels = [float(group["lr"]) for group in optimizer.param_groups]
        self._floors = [
            ramp.final.value if isinstance(ramp.final, Absolute) else float(ramp.final) * level
            for level in self._levels
        ]

    def set(self, step: int) -> None:
        ramp = self._ramp[step] if step < self._warm else 1.0
        for group, level in zip(self._optimizer.param_groups, self._levels, strict=True):
            group["lr"] = ramp * level

    def levels(self) -> list[float]:
        return self._levels

    def judges_like(self, old: Scheduler) -> bool:
        return isinstance(old, ClosedLoop) and self._judged() == old._judged()

    def _judged(self) -> tuple[object, ...]:
        return type(self), self.monitor, self.mode, self.window

    def go_on_from(self, old: Scheduler, ratios: Sequence[float]) -> None:
        levels, bases = old.levels(), self._levels
        if levels is None:
            raise self.cannot_follow(old)
        if self.judges_like(old):
            self.load_state_dict(old.state_dict())
        self._levels = within_bounds(levels, ratios, self._floors, bases)

    def observe(self, step: int, metrics: Mapping[str, float]) -> Advice:
        """Judge the metric; one of an evaluation during the ramp does not count."""
        metric = monitored(self.monitor, metrics, step, self)
        return Advice.NOTHING if self._warm > 0 and step <= self._warm else self.judge(metric)

    @abstractmethod
    def judge(self, metric: float) -> Advice:
        """Move the levels, or not, now that an evaluation has shown ``metric``, a finite number."""

    def smoothed(self, metric: float, window: int) -> float:
        """The mean of the last ``window`` metrics, this one included."""
        self._recent = [*self._recent, metric][-window:]
        return math.fsum(self._recent) / len(self._recent)

    def state_dict(self) -> dict[str, Any]:
        return {name: copy(getattr(self, f"_{name}")) for name in self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in self.kept:
            setattr(self, f"_{name}", copy(state[name]))
