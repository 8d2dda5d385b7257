"""Flat, then cosine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Duration, Horizon
from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.phases import Part
from lrsched.schedules.wsd import stable_then_decay


@dataclass(frozen=True, kw_only=True)
class FlatCosine(Schedule):
    """The peak, held, and then half a cosine wave to ``final`` over the last ``decay`` of the run.

    1 for t < T − D, then f + (1 − f)·(1 + cos πx)/2 with x = (t − T + D)/D; D is ``decay`` in steps.

    Args:
        decay: length of the wave, a duration.
        final: ratio of the peak that the wave tends to; not itself trained at.

    Raises:
        ConfigError: warm-up and decay do not fit into the run.

    References:
        fastai, ``fit_flat_cos``, https://docs.fast.ai/callback.schedule.html

    >>> FlatCosine(decay="2st").plan(Horizon(steps=4)).table().tolist()
    [1.0, 1.0, 1.0, 0.5]
    """

    decay: Duration = "25%"

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return stable_then_decay(self.decay, shapes.cosine, steps, horizon, final)
