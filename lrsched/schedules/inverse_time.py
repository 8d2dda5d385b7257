"""Decay in inverse time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import flag, number
from lrsched.schedules.phases import Curve, Ints, Part
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class InverseTime(Schedule):
    """A hyperbola: 1/(1 + decay·t/every), never below ``final``.

    Not to be confused with :class:`~lrsched.schedules.time_based.TimeBased`, which divides the
    *previous* rate by such a factor and in the end falls much faster.

    Args:
        decay: after 1/decay periods the rate is half the peak; at least 0.
        every: the period, a duration of at least one step.
        staircase: fall once in each period and not a little at each step: ⌊t/every⌋ for t/every.

    Raises:
        ConfigError: ``decay`` below 0, ``every`` below one step.

    References:
        Robbins, Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586
        Bengio, Practical Recommendations, 2012, https://arxiv.org/abs/1206.5533

    >>> InverseTime(every="2st").plan(Horizon(steps=7)).table()[::2].tolist()
    [1.0, 0.5, 0.3333333333333333, 0.25]
    """

    decay: float = 1.0
    every: Duration = "1ep"
    staircase: bool = False

    def check(self) -> None:
        number("decay", self.decay, "[0, inf)")
        flag("staircase", self.staircase)

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        every = horizon.resolve(self.every, "every", least=1)

        def value(t: Ints) -> Floats:
            n = t // every if self.staircase else t / every
            return np.maximum(final, 1 / (1 + self.decay * n))

        return [Curve(steps, value, "decay")]
