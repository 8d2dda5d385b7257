"""Greedy: the closed loop that raises the rate while the loss falls, and lowers it when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch.optim import Optimizer

from lrsched.horizon import Duration, Horizon
from lrsched.schedulers.base import Advice
from lrsched.schedulers.closed_loop import ClosedLoop
from lrsched.schedules import Constant
from lrsched.schedules.checks import flag, number, one_of, whole
from lrsched.schedules.shapes import WarmupShape


class Greedy(ClosedLoop):
    """Divides the rate by ``factor`` while the smoothed metric gets better, multiplies it by ``factor`` when not.

    ::

        m_n = the mean of the last ``window`` metrics (the metric itself without ``smooth``)
        m_n better than m_{n−1}, more than ``patience`` times running    lr ← min(lr/factor, high)
        m_n not better,          more than ``patience`` times running    lr ← max(lr·factor, final)

    A change starts the count anew. The first evaluation is compared with nothing. The paper looks at
    the loss of every step; here a loop sees evaluations: ``trainer.evaluate_every`` is its pace.

    Args:
        optimizer: its groups' rates at this moment are the base values.
        horizon: the run, for the length of the warm-up.
        monitor: the metric, looked at after every evaluation.
        mode: ``min`` or ``max``: which way is better.
        factor: what the rate is divided or multiplied by, between 0 and 1.
        patience: evaluations in one direction that are let pass; the next one moves the rate.
        smooth: judge the mean of the last evaluations, not each one alone.
        window: how many evaluations the mean is of.
        high: the rate never rises above it: a multiple of each group's base value, at least 1.
        final: the rate never falls below it: a ratio of each group's base value, or absolute.
        warmup, warmup_start, warmup_shape, warmup_power: a ramp in front, ``warmup`` a duration, as every
            schedule has; evaluations during it are not counted.

    Raises:
        ConfigError: a value out of its range.

    References:
        Subramanian, Krishnamoorthy, Murthy, Dynamic Learning Rate Scheduling based on Loss Changes Leads to
        Faster Convergence, 2025, https://arxiv.org/abs/2512.14527

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> greedy = Greedy(optimizer, Horizon(steps=4), factor=0.5, patience=0, smooth=False)
    >>> for step, loss in ((1, 1.0), (2, 2.0)):  # it got worse
    ...     _ = greedy.observe(step, {"val/loss": loss})
    >>> greedy.set(2)
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    kept = ("levels", "recent", "last", "good", "bad")

    def __init__(
        self,
        optimizer: Optimizer,
        horizon: Horizon,
        *,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
        factor: float = 0.95,
        patience: int = 0,
        smooth: bool = True,
        window: int = 50,
        high: float = 10.0,
        final: float | Mapping[str, float] = 0.01,
        warmup: Duration = "0st",
        warmup_start: float = 0.0,
        warmup_shape: WarmupShape = "linear",
        warmup_power: float = 2.0,
    ) -> None:
        one_of("mode", mode, ("min", "max"))
        number("factor", factor, "(0, 1)")
        whole("patience", patience, least=0)
        flag("smooth", smooth)
        whole("window", window, least=1)
        number("high", high, "[1, inf)")
        ramp = Constant(
            warmup=warmup, warmup_start=warmup_start, warmup_shape=warmup_shape, warmup_power=warmup_power, final=final
        )
        super().__init__(optimizer, horizon, monitor, ramp)
        self.mode, self.factor, self.patience = mode, factor, patience
        self.window = window if smooth else 1
        self._ceilings = [high * level for level in self._levels]
        self._last: float | None = None
        self._good = 0
        self._bad = 0

    def judge(self, metric: float) -> Advice:
        before, self._last = self._last, self.smoothed(metric, self.window)
        if before is not None:
            better = self._last < before if self.mode == "min" else self._last > before
            self._good, self._bad = (self._good + 1, 0) if better else (0, self._bad + 1)
            self._move()
        return Advice.NOTHING

    def _move(self) -> None:
        if self._good > self.patience:
            bounded = zip(self._levels, self._ceilings, strict=True)
            self._levels = [min(level / self.factor, high) for level, high in bounded]
            self._good = 0
        elif self._bad > self.patience:
            bounded = zip(self._levels, self._floors, strict=True)
            # An absolute floor above a group's base value lifts nothing: the level stays.
            self._levels = [min(level, max(level * self.factor, low)) for level, low in bounded]
            self._bad = 0
