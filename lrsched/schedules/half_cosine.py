"""The falling half of a cosine decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import Floats


def quarter_wave(a: float, b: float, x: Floats) -> Floats:
    """b + (a − b)·(1 + cos(π(1 + x)/2)): fast first, flat at the end."""
    return b + (a - b) * (1 + np.cos(np.pi * (1 + x) / 2))


@dataclass(frozen=True, kw_only=True)
class HalfCosine(Schedule):
    """The second half of the cosine, stretched: f + (1 − f)·(1 + cos(π(1 + x)/2)), x = t/T.

    It leaves the peak at once, where the cosine lingers, and arrives as softly.

    Args:
        final: ratio of the peak that the wave tends to; not itself trained at.

    References:
        OLMo-core, ``HalfCosWithWarmup``, https://github.com/allenai/OLMo-core

    >>> HalfCosine().plan(Horizon(steps=3)).table().round(3).tolist()
    [1.0, 0.5, 0.134]
    """

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return [Phase(steps, 1.0, final, quarter_wave, name="decay")]
