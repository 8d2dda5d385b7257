"""Memory of a run's metrics: the best evaluation so far, and the open window of the training loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Tracker:
    """The best value of one metric so far, and how many evaluations ago it was.

    Args:
        monitor: the metric.
        mode: ``min`` or ``max``: which way is better.
        threshold: how much better counts as better.
    """

    monitor: str
    mode: str = "min"
    threshold: float = 0.0
    best: float | None = None
    step: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    since: int = 0

    def see(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Record an evaluation; return whether it is the best so far. One without the metric does not count."""
        if self.monitor not in metrics:  # of an average that has not begun
            return False
        value = metrics[self.monitor]
        sign = 1.0 if self.mode == "min" else -1.0
        better = self.best is None or sign * value < sign * self.best - self.threshold
        if better and math.isfinite(value):
            self.best, self.step, self.metrics, self.since = value, step, dict(metrics), 0
            return True
        self.since += 1
        return False


@dataclass
class Window:
    """The sum of the training loss since the last row, on the device: no sync between rows."""

    total: Tensor
    updates: int = 0

    def add(self, loss: Tensor) -> None:
        self.total += loss
        self.updates += 1

    def mean(self) -> float:
        """The mean loss of the updates since the last call; waits for the device."""
        mean = self.total.item() / max(1, self.updates)
        self.total.zero_()
        self.updates = 0
        return mean
