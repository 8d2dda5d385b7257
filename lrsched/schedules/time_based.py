"""Time-based decay: a recursion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Curve, Part


@dataclass(frozen=True, kw_only=True)
class TimeBased(Schedule):
    """Each period divides the rate before it: η_{n+1} = η_n/(1 + decay·n), n = ⌊t/every⌋.

    So η_n = Π_{i<n} 1/(1 + decay·i), never below ``final``; η_0 = η_1 = 1. This is *not* the curve
    of :class:`~lrsched.schedules.inverse_time.InverseTime`, although many texts give one name to
    both: that one divides the peak, η_n = 1/(1 + decay·n), and falls as 1/n; this one multiplies all
    its divisors and falls faster than any exponential.

    Args:
        decay: growth of the divisor in each period, at least 0.
        every: the period, a duration of at least one step.

    Raises:
        ConfigError: ``decay`` below 0, ``every`` below one step.

    References:
        Learning rate, Wikipedia, https://en.wikipedia.org/wiki/Learning_rate#Learning_rate_schedule

    >>> TimeBased(decay=1.0, every="1st").plan(Horizon(steps=5)).table().tolist()
    [1.0, 1.0, 0.5, 0.16666666666666666, 0.041666666666666664]
    """

    decay: float = 0.01
    every: Duration = "1ep"

    def check(self) -> None:
        number("decay", self.decay, "[0, inf)")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        every = horizon.resolve(self.every, "every", least=1)
        divisors = 1 + self.decay * np.arange((steps - 1) // every)
        rates = np.maximum(final, np.divide.accumulate(np.concatenate([[1.0], divisors])))  # the recursion itself
        return [Curve(steps, lambda t: rates[t // every], "decay")]
