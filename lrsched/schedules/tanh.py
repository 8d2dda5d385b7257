"""Hyperbolic-tangent decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number, require
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class Tanh(Schedule):
    """An S with a long shoulder: f + (1 − f)·½(1 − tanh(lower(1 − x) + upper·x)), x = t/T.

    It starts at ½(1 − tanh(lower)) and tends to ½(1 − tanh(upper)), which are 1 − 8·10⁻⁷ and
    0.0025 of the way for −7 and 3: the ends are the formula's, not rounded to 1 and f.

    Args:
        lower: argument at the start, below ``upper``.
        upper: argument at the end.
        final: ratio of the peak that the S ends above.

    Raises:
        ConfigError: ``lower`` is not below ``upper``.

    References:
        Hsueh, Li, Wu, Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification,
        WACV 2019, https://arxiv.org/abs/1806.01593

    >>> Tanh(lower=-3, upper=3).plan(Horizon(steps=2)).table().round(3).tolist()
    [0.998, 0.5]
    """

    lower: float = -7.0
    upper: float = 3.0

    def check(self) -> None:
        number("lower", self.lower, "(-inf, inf)")
        number("upper", self.upper, "(-inf, inf)")
        require(self.lower < self.upper, "lower", self.lower, f"must be below upper={self.upper:g}", "swap them")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        def s_curve(a: float, b: float, x: Floats) -> Floats:
            return b + (a - b) * (0.5 * (1 - np.tanh(self.lower * (1 - x) + self.upper * x)))

        return [Phase(steps, 1.0, final, s_curve, name="decay")]
