"""Exponential moving average (EMA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrsched.averages.base import Average, Mean, Table
from lrsched.errors import ConfigError
from lrsched.horizon import Duration, Horizon, parse


@dataclass(frozen=True, kw_only=True)
class Ema(Average):
    """An exponential moving average: θ̄ ← d_s·θ̄ + (1 − d_s)·θ after update s = 0, 1, …; it begins with θ after update 0.

    With ``half_life`` in per cent of the *elapsed* updates it is the power-function average, which looks the same at
    any time of any run: after t = s + 1 updates d_s = ((t − 1)/t)^p, p = ln ½ / ln(1 − h), and what lies h·t updates
    back weighs half as much as the newest. In steps, epochs or samples d = ½^(1/h). A ``decay`` stands in its place.

    Args:
        half_life: a duration, ``10%`` of the elapsed updates, or ``500st``, ``2ep``, ``64000sp``.
        decay: d, in [0, 1); null: by ``half_life``.
        warmup: of ``decay``: d_s = min(decay, (1 + s)/(10 + s)), so that the first weights are soon forgotten.

    Raises:
        ConfigError: a decay outside [0, 1), or a half-life of 0 or of the whole past.

    References:
        Polyak, Juditsky, 1992, https://doi.org/10.1137/0330046
        Karras et al., Analyzing and Improving the Training Dynamics of Diffusion Models, CVPR 2024, section 3.1,
        https://arxiv.org/abs/2312.02696

    >>> Ema(decay=0.9, warmup=False).table(Horizon(steps=3)).round(6).tolist()
    [1.0, 0.1, 0.1]
    >>> Ema(half_life="50%").table(Horizon(steps=4)).round(6).tolist()  # p = 1: the plain mean
    [1.0, 0.5, 0.333333, 0.25]
    """

    mean: ClassVar[Mean] = Mean.MOVING

    half_life: Duration = "10%"
    decay: float | None = None
    warmup: bool = True

    def check(self) -> None:
        if self.decay is not None and not 0 <= self.decay < 1:
            raise ConfigError("decay", self.decay, "must be at least 0 and below 1", "0.999 looks back 1000 updates")
        amount, unit = parse(self.half_life, "half_life")
        if not amount or (unit == "%" and amount >= 100):
            rule = "must be above 0, and below 100%: a share of the updates so far"
            raise ConfigError("half_life", self.half_life, rule, "10% is usual")

    def table(self, horizon: Horizon) -> Table:
        s = np.arange(horizon.steps, dtype=np.float64)
        rates = 1 - self._kept(s, horizon)
        rates[0] = 1.0
        return rates

    def _kept(self, s: Table, horizon: Horizon) -> Table:
        """d_s."""
        if self.decay is not None:
            ramp = (1 + s) / (10 + s)
            return np.minimum(self.decay, ramp) if self.warmup else np.full_like(s, self.decay)
        amount, unit = parse(self.half_life, "half_life")
        if unit == "%":
            return (s / (s + 1)) ** (np.log(0.5) / np.log1p(-float(amount) / 100))
        return np.full_like(s, 0.5 ** (1 / float(horizon.exact(self.half_life, "half_life"))))
