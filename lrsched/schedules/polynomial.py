"""Polynomial decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """A power of what is left of the run: f + (1 − f)·(1 − x^k)^power, x = t/T.

    Args:
        power: 1 is the straight line, 2 falls fast first, 0.5 falls fast at the end.
        k: k-decay: above 1 the peak is held longer.
        final: ratio of the peak that the decay tends to; not itself trained at.

    Raises:
        ConfigError: ``power`` or ``k`` is not above 0.

    References:
        Chen et al., DeepLab, 2016, https://arxiv.org/abs/1606.00915: "poly", with power 0.9
        Zhang, Li, k-decay, 2020, https://arxiv.org/abs/2004.05909

    >>> Polynomial().plan(Horizon(steps=4)).table().tolist()
    [1.0, 0.5625, 0.25, 0.0625]
    """

    power: float = 2.0
    k: float = 1.0

    def check(self) -> None:
        number("power", self.power, "(0, inf)")
        number("k", self.k, "(0, inf)")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        def power(a: float, b: float, x: Floats) -> Floats:
            return b + (a - b) * (1 - x**self.k) ** self.power

        return [Phase(steps, 1.0, final, power, name="decay")]
