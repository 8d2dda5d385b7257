"""Decay with the inverse square root of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.phases import Curve, Part

TIMESCALE = "10000st"
"""Where there is no warm-up to take it from."""


@dataclass(frozen=True, kw_only=True)
class InverseSqrt(Schedule):
    """√(τ/(t + τ)), t counted after the warm-up, never below ``final``. It needs no end of the run.

    Args:
        timescale: τ, a duration of at least one step, after which the rate is 1/√2 of the peak; null
            takes the length of the warm-up, or 10000 steps without one.

    Raises:
        ConfigError: ``timescale`` below one step.

    References:
        Raffel et al., T5, JMLR 2020, https://arxiv.org/abs/1910.10683
        Zhai et al., Scaling Vision Transformers, CVPR 2022, https://arxiv.org/abs/2106.04560

    >>> InverseSqrt(timescale="2st").plan(Horizon(steps=7)).table()[[0, 6]].tolist()
    [1.0, 0.5]
    """

    timescale: Duration | None = None

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        if self.timescale is not None:
            tau = horizon.resolve(self.timescale, "timescale", least=1)
        else:
            tau = horizon.resolve(self.warmup, "warmup") or horizon.resolve(TIMESCALE)
        return [Curve(steps, lambda t: np.maximum(final, np.sqrt(tau / (t + tau))), "decay")]
