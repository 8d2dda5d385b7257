"""Step decay: a cut at equal distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Curve, Part


@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """A stair: gamma^⌊t/every⌋, never below ``final``.

    Args:
        every: steps between two cuts, a duration of at least one step.
        gamma: what a cut multiplies the rate by, in (0, 1].

    Raises:
        ConfigError: ``every`` below one step, ``gamma`` out of its range.

    References:
        He et al., Deep Residual Learning, CVPR 2016, https://arxiv.org/abs/1512.03385
        Ge et al., The Step Decay Schedule, NeurIPS 2019, https://arxiv.org/abs/1904.12838

    >>> Step(every="2st", gamma=0.5).plan(Horizon(steps=6)).table().tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    every: Duration = "30%"
    gamma: float = 0.1

    def check(self) -> None:
        number("gamma", self.gamma, "(0, 1]")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        every = horizon.resolve(self.every, "every", least=1)
        return [Curve(steps, lambda t: np.maximum(final, self.gamma ** (t // every)), "stair")]

    def cautions(self, steps: int, horizon: Horizon) -> list[str]:
        every = horizon.resolve(self.every, "every", least=1)
        return [f"every={self.every} is {every} steps of {steps}: the rate is never cut"] if every >= steps else []
