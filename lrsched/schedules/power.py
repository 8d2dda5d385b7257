"""Decay with a power of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Curve, Part


@dataclass(frozen=True, kw_only=True)
class Power(Schedule):
    """(t/W)^exponent, t counted from the start of the run and W the length of its warm-up.

    Without a warm-up W is one step, and t is counted from 1. Never below ``final``. The curve does
    not know the end of the run, and the exponent was found to hold over batch sizes and lengths.

    Args:
        exponent: at most 0.

    Raises:
        ConfigError: an exponent above 0.

    References:
        Shen et al., Power Scheduler, 2024, https://arxiv.org/abs/2408.13359

    >>> Power(exponent=-1, warmup="2st").plan(Horizon(steps=7)).table().tolist()
    [0.5, 1.0, 1.0, 0.6666666666666666, 0.5, 0.4, 0.3333333333333333]
    """

    exponent: float = -0.51

    def check(self) -> None:
        number("exponent", self.exponent, "(-inf, 0]")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        warm = horizon.resolve(self.warmup, "warmup") or 1
        return [Curve(steps, lambda t: np.maximum(final, ((t + warm) / warm) ** self.exponent), "decay")]
