"""The schedule of the first Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import flag, whole
from lrsched.schedules.phases import Curve, Part, clip


@dataclass(frozen=True, kw_only=True)
class Noam(Schedule):
    """dim^−½·min((t + 1)^−½, (t + 1)·W^−1.5), W = ``warmup``, over its largest value (dim·W)^−½.

    The warm-up is a part of the formula: a straight line from 0 to step W, where the decay takes
    over. It is the ordinary warm-up of every schedule here, with its keys; it only may be longer
    than the run, which then never gets to the peak.

    Args:
        warmup: W, a duration of at least one step.
        dim: width of the model; without effect where the curve is normalised.
        normalise: whether the largest multiplier is 1, so that ``optimizer.lr`` is the peak; false
            gives the paper's numbers with ``optimizer.lr=1``.
        final: no step of the decay is below it.

    Raises:
        ConfigError: ``warmup`` below one step, ``dim`` not a whole number of at least 1.

    References:
        Vaswani et al., Attention Is All You Need, NeurIPS 2017, https://arxiv.org/abs/1706.03762

    >>> Noam(warmup="4st").plan(Horizon(steps=16)).table()[[0, 3, 15]].tolist()
    [0.25, 1.0, 0.5]
    """

    warmup: Duration = "4000st"
    dim: int = 512
    normalise: bool = True

    def check(self) -> None:
        whole("dim", self.dim, least=1)
        flag("normalise", self.normalise)

    def lead(self, horizon: Horizon) -> int:
        return 0  # the body brings the warm-up

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        warm = horizon.resolve(self.warmup, "warmup", least=1)
        peak = 1.0 if self.normalise else (self.dim * warm) ** -0.5
        decay = Curve(steps, lambda t: np.maximum(final, peak * np.sqrt(warm / (warm + t + 1))), "decay")
        return clip([self.ramp(warm, peak), decay], steps)
