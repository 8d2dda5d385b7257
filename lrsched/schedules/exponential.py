"""Exponential decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import flag, number, require
from lrsched.schedules.phases import Curve, Ints, Part
from lrsched.schedules.shapes import Floats

GAMMA = 0.95
"""What remains after each ``every`` where a config says nothing else."""


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """The same share is lost in every equal span of time.

    Said in one of three ways:

    - ``gamma``: gamma^(t/every), what remains after each ``every``; it is 0.95 where nothing is said;
    - ``decay``: e^(−decay·t/every), the rate of loss, as in N(t) = N₀·e^(−λt);
    - ``final`` alone: final^x, x = t/T, from the peak to ``final`` over the run.

    Next to ``gamma`` or ``decay``, ``final`` is a floor: max(final, value).

    Args:
        decay: rate of loss in each ``every``, at least 0.
        gamma: factor after each ``every``, in (0, 1]; null stands for 0.95 unless ``decay`` or
            ``final`` says how fast to fall.
        every: the span of time, a duration of at least one step.
        staircase: fall once in each ``every`` and not a little at each step: ⌊t/every⌋ for t/every.

    Raises:
        ConfigError: ``decay`` and ``gamma`` together, or out of their ranges.

    References:
        Li, Zhuang, Orabona, A Second Look at Exponential and Cosine Step Sizes, ICML 2021,
        https://arxiv.org/abs/2002.05273

    >>> Exponential(gamma=0.25, every="2st").plan(Horizon(steps=4)).table().tolist()
    [1.0, 0.5, 0.25, 0.125]
    >>> Exponential(final=0.0625).plan(Horizon(steps=4)).table().tolist()
    [1.0, 0.5, 0.25, 0.125]
    """

    decay: float | None = None
    gamma: float | None = None
    every: Duration = "1ep"
    staircase: bool = False

    def check(self) -> None:
        if self.decay is not None:
            number("decay", self.decay, "[0, inf)")
            require(self.gamma is None, "gamma", self.gamma, "says in other words what decay says", "give one of them")
        if self.gamma is not None:
            number("gamma", self.gamma, "(0, 1]")
        flag("staircase", self.staircase)

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        by_final = final > 0 and self.decay is None and self.gamma is None
        every = 1  # a smooth way to final has no rate of its own
        if self.staircase or not by_final or horizon.steps_per_epoch:
            every = horizon.resolve(self.every, "every", least=1)
        gamma = GAMMA if self.gamma is None else self.gamma

        def from_peak_to_final(t: Ints) -> Floats:
            return final ** ((t // every * every if self.staircase else t) / steps)

        def down_to_floor(t: Ints) -> Floats:
            n = t // every if self.staircase else t / every
            left = np.exp(-self.decay * n) if self.decay is not None else gamma**n
            return np.maximum(final, left)

        return [Curve(steps, from_peak_to_final if by_final else down_to_floor, "decay")]
