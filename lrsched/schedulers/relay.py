"""A sequence in which a closed loop drives some of the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrsched.schedulers.base import Advice, Scheduler
from lrsched.schedulers.table import Table


@dataclass(frozen=True)
class Leg:
    """The steps from ``start`` to ``end`` (exclusive), driven by a closed loop with a clock of its own."""

    start: int
    end: float
    loop: Scheduler


class Relay(Scheduler):
    """A table that hands over to closed loops and takes over from them, at given steps.

    In a leg the table's values are set first and the loop's rate over them. A loop sees the
    evaluations that its own updates led to: those after ``start`` and up to ``end``. What follows a
    leg starts from its own first value, as in every sequence.

    Args:
        table: the values outside of the legs.
        legs: in order; the last one's ``end`` is infinite where it is the end of the run.
    """

    def __init__(self, table: Table, legs: list[Leg]) -> None:
        self._table, self._legs = table, legs
        self.moves = tuple(dict.fromkeys([*table.moves, *(name for leg in legs for name in leg.loop.moves)]))

    def set(self, step: int) -> None:
        self._table.set(step)
        for leg in self._legs:
            if leg.start <= step < leg.end:
                leg.loop.set(step - leg.start)

    def observe(self, step: int, metrics: Mapping[str, float]) -> Advice:
        for leg in self._legs:
            if leg.start < step <= leg.end:
                return leg.loop.observe(step - leg.start, metrics)
        return Advice.NOTHING

    def rescale(self, ratios: Sequence[float]) -> None:
        for leg in self._legs:
            leg.loop.rescale(ratios)

    def state_dict(self) -> dict[str, Any]:
        return {"legs": [leg.loop.state_dict() for leg in self._legs]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for leg, saved in zip(self._legs, state["legs"], strict=True):
            leg.loop.load_state_dict(saved)
