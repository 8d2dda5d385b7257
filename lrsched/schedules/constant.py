"""The peak, all the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import constant


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The peak at every step, v(t) = 1: the baseline, and what optimizers without a learning rate want.

    ``final`` has nothing to do here, since nothing decays.

    References:
        Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations,
        NeurIPS 2024, https://arxiv.org/abs/2405.18392: a constant rate, to be cooled down at any time.

    >>> Constant(warmup="2st").plan(Horizon(steps=4)).table().tolist()
    [0.5, 1.0, 1.0, 1.0]
    """

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return [Phase(steps, 1.0, 1.0, constant, name="stable")]
