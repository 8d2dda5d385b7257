"""Reduce on plateau: the closed loop that cuts the rate when a metric stops improving."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from torch.optim import Optimizer

from lrsched.horizon import Duration, Horizon
from lrsched.schedulers.base import Advice
from lrsched.schedulers.closed_loop import ClosedLoop
from lrsched.schedules import Constant
from lrsched.schedules.checks import require
from lrsched.schedules.shapes import WarmupShape


class Plateau(ClosedLoop):
    """Multiplies the rate by ``factor`` after more than ``patience`` evaluations without improvement.

    Equal to ``torch.optim.lr_scheduler.ReduceLROnPlateau`` value for value for metrics above 0
    (and rates above its ``eps``); it differs where that one is broken: a relative threshold is
    also right for negative metrics, a metric that is not finite is an error and not a bad epoch,
    and a very small rate can still be cut.

    Args:
        optimizer: its groups' rates at this moment are the base values.
        horizon: the run, for the length of the warm-up.
        monitor: the metric, looked at after every evaluation.
        mode: ``min`` or ``max``: which way is better.
        factor: what a cut multiplies the rate by, between 0 and 1.
        patience: evaluations without improvement that are borne; the next one cuts.
        threshold: what counts as an improvement: ``rel`` to the best, or ``abs``.
        threshold_mode: ``rel`` or ``abs``.
        cooldown: evaluations after a cut during which none is counted as bad.
        final: the rate is never cut below it: a ratio of each group's base value, or absolute.
        smooth: the metric is the mean of the last ``smooth`` evaluations; 1 = off.
        backtrack: go back to the best weights (and their optimizer state) when the rate is cut.
        warmup, warmup_start, warmup_shape, warmup_power: a ramp in front, ``warmup`` a duration, as every
            schedule has; evaluations during it are not counted.

    Raises:
        ConfigError: a value out of its range.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> plateau = Plateau(optimizer, Horizon(steps=4), factor=0.5, patience=1)
    >>> for step in (1, 2, 3):  # the best, and two that are no better
    ...     _ = plateau.observe(step, {"val/loss": 1.0})
    >>> plateau.set(3)
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    kept = ("levels", "best", "bad", "cooling", "recent")

    def __init__(
        self,
        optimizer: Optimizer,
        horizon: Horizon,
        *,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        final: float | Mapping[str, float] = 0.0,
        smooth: int = 1,
        backtrack: bool = False,
        warmup: Duration = "0st",
        warmup_start: float = 0.0,
        warmup_shape: WarmupShape = "linear",
        warmup_power: float = 2.0,
    ) -> None:
        require(0 < factor < 1, "factor", factor, "must lie between 0 and 1", "a cut makes the rate smaller")
        require(patience >= 0, "patience", patience, "must be at least 0")
        require(threshold >= 0, "threshold", threshold, "must be at least 0")
        require(cooldown >= 0, "cooldown", cooldown, "must be at least 0")
        require(smooth >= 1, "smooth", smooth, "must be at least 1", "1 takes the metric as it is")
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown = threshold, threshold_mode, cooldown
        self.window, self.backtrack = smooth, backtrack

        ramp = Constant(
            warmup=warmup, warmup_start=warmup_start, warmup_shape=warmup_shape, warmup_power=warmup_power, final=final
        )
        super().__init__(optimizer, horizon, monitor, ramp)
        self._best = math.inf if mode == "min" else -math.inf
        self._bad = 0
        self._cooling = 0

    def judge(self, metric: float) -> Advice:
        metric = self.smoothed(metric, self.window)
        improved = self._improves(metric)
        if improved:
            self._best, self._bad = metric, 0
        else:
            self._bad += 1
        if self._cooling > 0:
            self._cooling -= 1
            self._bad = 0
        if self._bad > self.patience:
            self._levels = [
                max(level * self.factor, floor) for level, floor in zip(self._levels, self._floors, strict=True)
            ]
            self._cooling, self._bad = self.cooldown, 0
            return Advice.RETURN if self.backtrack else Advice.NOTHING
        return Advice.KEEP if improved and self.backtrack else Advice.NOTHING

    def _improves(self, metric: float) -> bool:
        margin, best = self.threshold, self._best
        better_is_larger = self.mode == "max"
        if self.threshold_mode == "abs":
            return metric > best + margin if better_is_larger else metric < best - margin
        # The bar lies on the better side of the best whatever its sign.
        raises_the_bar = better_is_larger == (best >= 0)
        bar = best * (1.0 + margin) if raises_the_bar else best * (1.0 - margin)
        return metric > bar if better_is_larger else metric < bar
