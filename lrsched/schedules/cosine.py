"""Cosine decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Half a wave from the peak to ``final``: f + (1 − f)·[(1 + cos π·x^k)/2]^power, x = t/T.

    Args:
        power: exponent of the wave; above 1 it falls earlier.
        k: k-decay: above 1 the peak is held longer.
        final: ratio of the peak that the wave tends to; not itself trained at.

    Raises:
        ConfigError: ``power`` or ``k`` is not above 0.

    References:
        Loshchilov, Hutter, SGDR, ICLR 2017, https://arxiv.org/abs/1608.03983
        Zhang, Li, k-decay, 2020, https://arxiv.org/abs/2004.05909

    >>> Cosine().plan(Horizon(steps=2)).table().tolist()
    [1.0, 0.5]
    """

    power: float = 1.0
    k: float = 1.0

    def check(self) -> None:
        number("power", self.power, "(0, inf)")
        number("k", self.k, "(0, inf)")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        def wave(a: float, b: float, x: Floats) -> Floats:
            return b + (a - b) * ((1 + np.cos(np.pi * x**self.k)) / 2) ** self.power

        return [Phase(steps, 1.0, final, wave, name="decay")]
