"""Linear decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.phases import Part, Phase


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """A straight line from the peak to ``final``: 1 + (f − 1)·x, x = t/T.

    Args:
        final: ratio of the peak that the line tends to; not itself trained at.

    References:
        Li, Yumer, Ramanan, Budgeted Training, ICLR 2020, https://arxiv.org/abs/1905.04753
        Bergsma et al., Straight to Zero, ICLR 2025, https://arxiv.org/abs/2502.15938

    >>> Linear(final=0.2).plan(Horizon(steps=4)).table().tolist()
    [1.0, 0.8, 0.6, 0.3999999999999999]
    """

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return [Phase(steps, 1.0, final, name="decay")]
