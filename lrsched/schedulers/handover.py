"""A sequence in which a closed loop drives some of the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrsched.schedulers.base import Advice, Scheduler
from lrsched.schedulers.table import Table


@dataclass(frozen=True)
class Segment:
    """The steps from ``start`` to ``end`` (exclusive), driven by a closed loop with a clock of its own."""

    start: int
    end: float
    loop: Scheduler


class Handover(Scheduler):
    """A table that hands over to closed loops and takes over from them, at given steps.

    In a segment the table's values are set first and the loop's rate over them. A loop sees the
    evaluations that its own updates led to: those after ``start`` and up to ``end``. What follows a
    segment starts from its own first value, as in every sequence.

    Args:
        table: the values outside of the segments.
        segments: in order; the last one's ``end`` is infinite where it is the end of the run.
    """

    def __init__(self, table: Table, segments: list[Segment]) -> None:
        self._table, self._segments = table, segments
        self.moves = tuple(
            dict.fromkeys([*table.moves, *(name for segment in segments for name in segment.loop.moves)])
        )

    def set(self, step: int) -> None:
        self._table.set(step)
        for segment in self._segments:
            if segment.start <= step < segment.end:
                segment.loop.set(step - segment.start)

    def observe(self, step: int, metrics: Mapping[str, float]) -> Advice:
        for segment in self._segments:
            if segment.start < step <= segment.end:
                return segment.loop.observe(step - segment.start, metrics)
        return Advice.NOTHING

    def phases(self) -> list[tuple[int, str]]:
        return self._table.phases()

    def judges_like(self, old: Scheduler) -> bool:
        if not isinstance(old, Handover) or len(old._segments) != len(self._segments):
            return False
        return all(mine.judges_like(theirs) for mine, theirs in zip(self._loops(), old._loops(), strict=True))

    def go_on_from(self, old: Scheduler, ratios: Sequence[float]) -> None:
        if not isinstance(old, Handover) or len(old._segments) != len(self._segments):
            raise self.cannot_follow(old)
        for mine, theirs in zip(self._loops(), old._loops(), strict=True):
            mine.go_on_from(theirs, ratios)

    def _loops(self) -> list[Scheduler]:
        return [segment.loop for segment in self._segments]

    def state_dict(self) -> dict[str, Any]:
        return {"legs": [segment.loop.state_dict() for segment in self._segments]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for segment, saved in zip(self._segments, state["legs"], strict=True):
            segment.loop.load_state_dict(saved)
