"""What closed loops share: a level for each group, a ramp in front, and a metric that they look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch.optim import Optimizer

from lrsched.errors import NotFinite
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler
from lrsched.schedules import Absolute, Constant
from lrsched.schedules.checks import require


class ClosedLoop(Scheduler):
    """Sets each group to its level; a subclass moves the levels when it has observed a metric.

    Args:
        optimizer: its groups' rates at this moment are the base values, and the first levels.
        horizon: the run, for the length of the warm-up.
        monitor: the metric, looked at after every evaluation.
        ramp: its warm-up is the ramp in front, its ``final`` the bound that no level falls below.
    """

    def __init__(self, optimizer: Optimizer, horizon: Horizon, monitor: str, ramp: Constant) -> None:
        self.monitor = monitor
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

    def rescale(self, ratios: Sequence[float]) -> None:
        self._levels = [level * ratio for level, ratio in zip(self._levels, ratios, strict=True)]

    def warming(self, step: int) -> bool:
        """Whether an evaluation after ``step`` updates is one of the ramp, which does not count."""
        return self._warm > 0 and step <= self._warm

    def metric(self, step: int, metrics: Mapping[str, float]) -> float:
        """The monitored metric.

        Raises:
            ConfigError: an evaluation has no such metric.
            NotFinite: it is not a finite number, which is an error and not a bad evaluation.
        """
        known = f"known are: {', '.join(metrics)}"
        require(self.monitor in metrics, "monitor", self.monitor, "is not a metric of an evaluation", known)
        metric = metrics[self.monitor]
        if not math.isfinite(metric):
            raise NotFinite(f"{self.monitor} is {metric} at step {step}: {type(self).__name__} cannot judge it")
        return metric
