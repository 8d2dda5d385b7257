"""REX: reflected exponential decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class Rex(Schedule):
    """f + (1 − f)·(1 − x)/(1 − x(1 − beta)), x = t/T: close to the peak for long, then down at once.

    Made for small budgets, where it lies between a straight line and a late step.

    Args:
        beta: 0.5 is the paper's form, 1 the straight line; smaller holds the peak longer.
        final: ratio of the peak that the decay tends to; not itself trained at.

    Raises:
        ConfigError: ``beta`` is not above 0.

    References:
        Chen, Wolfe, Kyrillidis, REX: Revisiting Budgeted Training with an Improved Schedule,
        MLSys 2022, https://arxiv.org/abs/2107.04197

    >>> Rex().plan(Horizon(steps=4)).table().tolist()
    [1.0, 0.8571428571428571, 0.6666666666666666, 0.4]
    """

    beta: float = 0.5

    def check(self) -> None:
        number("beta", self.beta, "(0, inf)")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        def reflected(a: float, b: float, x: Floats) -> Floats:
            return b + (a - b) * ((1 - x) / (1 - x * (1 - self.beta)))

        return [Phase(steps, 1.0, final, reflected, name="decay")]
