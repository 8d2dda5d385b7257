"""Snapshot ensembles: equal cosine cycles, and a model at the end of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import whole
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import cosine


@dataclass(frozen=True, kw_only=True)
class Snapshot(Schedule):
    """M equal cosines from the peak to ``final``; the weights at the end of each are one member of an ensemble.

    Each cycle has ⌊T/M⌋ steps, and the last takes the remainder too (in a run of fewer than M steps, all).

    Args:
        cycles: M, a whole number of at least 1.
        final: ratio of the peak that each cycle tends to; not itself trained at.

    Raises:
        ConfigError: ``cycles`` is not such a number.

    References:
        Huang et al., Snapshot Ensembles: Train 1, Get M for Free, ICLR 2017, https://arxiv.org/abs/1704.00109

    >>> Snapshot(cycles=2).plan(Horizon(steps=5)).table().tolist()
    [1.0, 0.5, 1.0, 0.75, 0.2500000000000001]
    """

    snapshots: ClassVar[bool] = True

    cycles: int = 5

    def check(self) -> None:
        whole("cycles", self.cycles, least=1)

    def minima(self, horizon: Horizon) -> list[int]:
        """The numbers of completed steps at which the cycles end.

        >>> Snapshot(cycles=2, warmup="3st").minima(Horizon(steps=8))
        [5, 8]
        """
        lead = self.lead(horizon)
        ends = accumulate(self._lengths(horizon.steps - lead), initial=lead)
        return sorted({end for end in ends if end > lead})

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return [Phase(length, 1.0, final, cosine, name="cycle") for length in self._lengths(steps)]

    def _lengths(self, steps: int) -> list[int]:
        length = steps // self.cycles
        return [length] * (self.cycles - 1) + [steps - length * (self.cycles - 1)]
