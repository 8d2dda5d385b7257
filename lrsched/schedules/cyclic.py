"""Cyclical learning rates: triangles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import momentum_range, number, one_of
from lrsched.schedules.phases import Curve, Ints, Part
from lrsched.schedules.shapes import Floats

Mode: TypeAlias = Literal["triangular", "triangular2", "exp_range"]


@dataclass(frozen=True, kw_only=True)
class Cyclic(Schedule):
    """Triangles between ``low`` and the peak: low + (1 − low)·h, never below ``final``.

    h rises in a line from 0 to 1 over ``up`` steps and falls back over ``down``, times

    ::

        triangular  1      triangular2  2^−c in cycle c = 0, 1, …      exp_range  gamma^t

    Args:
        low: foot of the triangles as a multiple of the peak, in [0, 1].
        up: steps of the way up, a duration of at least one step.
        down: steps of the way down, a duration likewise; null is as long as ``up``.
        mode: triangular, triangular2 or exp_range.
        gamma: what is left of h after each step of ``exp_range``, in (0, 1].
        momentum: [low, high] of the momentum, or of Adam's first beta, which falls from high to low
            as the rate rises, by high − (high − low)·h; null leaves it alone.

    Raises:
        ConfigError: a value out of its range.

    References:
        Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017, https://arxiv.org/abs/1506.01186

    >>> Cyclic(low=0.5, up="2st", mode="triangular2").plan(Horizon(steps=8)).table().tolist()
    [0.5, 0.75, 1.0, 0.75, 0.5, 0.625, 0.75, 0.625]
    """

    low: float = 0.1
    up: Duration = "2ep"
    down: Duration | None = None
    mode: Mode = "triangular"
    gamma: float = 0.9999
    momentum: tuple[float, float] | None = None

    def check(self) -> None:
        number("low", self.low, "[0, 1]")
        one_of("mode", self.mode, get_args(Mode))
        number("gamma", self.gamma, "(0, 1]")
        momentum_range("momentum", self.momentum)

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        up, down = self._sides(horizon)

        def value(t: Ints) -> Floats:
            return np.maximum(final, self.low + (1 - self.low) * self._height(t, up, down))

        return [Curve(steps, value, "cycles")]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        if self.momentum is None:
            return {}
        low, high = self.momentum
        up, down = self._sides(horizon)
        return {"momentum": [Curve(steps, lambda t: high - (high - low) * self._height(t, up, down), "cycles")]}

    def _sides(self, horizon: Horizon) -> tuple[int, int]:
        """Steps up and steps down."""
        up = horizon.resolve(self.up, "up", least=1)
        return up, up if self.down is None else horizon.resolve(self.down, "down", least=1)

    def _height(self, t: Ints, up: int, down: int) -> Floats:
        """h at the steps ``t``, in [0, 1]."""
        cycle, i = np.divmod(t, up + down)
        height: Floats = np.where(i < up, i / up, (up + down - i) / down)
        if self.mode == "triangular2":
            height *= 0.5**cycle
        elif self.mode == "exp_range":
            height *= self.gamma**t
        return height
