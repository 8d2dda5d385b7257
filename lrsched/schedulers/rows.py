"""The rows of a schedule's table, for all parameter groups of one optimizer: compiled once, looked up by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lrsched.errors import UNSET, ConfigError, nearest
from lrsched.horizon import Horizon
from lrsched.schedulers.base import names_of
from lrsched.schedulers.values import has_value, initial_value, place, put_value
from lrsched.schedules import Schedule
from lrsched.schedules.base import Column
from lrsched.schedules.named import refuse_strangers
from lrsched.schedules.shapes import Floats

Member = tuple[int, str, int | None, float]
"""Who follows a curve: position of the group, key and item of the value in it, base value."""


class ScheduleRows:
    """Puts row s of the table into the groups of an optimizer, whichever they are by now.

    It holds no optimizer. Groups that it has not met, because they were added or came with a state that
    was loaded, are taken in when it next meets them.

    Base values: a group that is known by its position keeps those it had; a new one has its
    ``initial_NAME`` where there is one, and otherwise its value at that moment. They are written into
    the group as ``initial_NAME``, as torch does with ``initial_lr``, and so become part of the
    optimizer's state: whatever is loaded, in whatever order, no scheduled value is taken for a base.

    Values with equal multiples, to the bit, share a curve: fifty groups cost one lookup and fifty
    products, and the memory of one column.

    Args:
        schedule: the curve, with what it says of other values and other groups.
        horizon: the run.
    """

    def __init__(self, schedule: Schedule, horizon: Horizon) -> None:
        self.schedule, self.horizon = schedule, horizon
        self.last = horizon.steps - 1
        self.bases: list[dict[str, float]] = []
        self.moves: tuple[str, ...] = ("lr",)
        self._forget()

    def put(self, groups: list[dict[str, Any]], step: int) -> None:
        """Put the values of update ``step`` into force; after the end those of the last one."""
        if groups is not self._groups or len(groups) != self._count:
            self.bind(groups)
        if step > self.last:
            step = self.last
        for curve, members in self._curves:
            multiple = curve[step]
            for index, key, item, base in members:
                group = groups[index]
                if item is None and type(group[key]) is float:
                    group[key] = base * multiple
                else:
                    put_value(group, key, item, base * multiple)

    def rates(self, step: int) -> list[float]:
        """The learning rates of update ``step``, by group, as the table has them."""
        return [base * curve[min(step, self.last)] for base, curve in self._rates]

    def values(self) -> dict[tuple[int, str, int | None], Floats]:
        """All that is put into the groups that it has met: float64[steps] by number of the group, key and item."""
        return {
            (index, key, item): base * np.asarray(curve)
            for curve, members in self._curves
            for index, key, item, base in members
        }

    def refuse_past(self, step: int) -> None:
        """An error where the schedule wants one for a step after its end."""
        if step > self.last and self.schedule.past == "raise":
            raise ConfigError("past", "raise", f"step {step} lies after the schedule's end", "use past=hold")

    def take_over(self, bases: Sequence[Mapping[str, float]]) -> None:
        """Base values by position of the group, from a checkpoint: they win over those that were met."""
        self.bases += [{} for _ in range(len(bases) - len(self.bases))]
        for known, saved in zip(self.bases, bases, strict=False):
            known.update(saved)
        self._forget()

    def bind(self, groups: list[dict[str, Any]]) -> None:
        """Take in the groups as they are now.

        Raises:
            ConfigError: the schedule moves a value that a group does not have, or speaks of no group.
        """
        names = names_of(groups)
        if not self._curves:
            refuse_strangers(self.schedule.groups, names)
        self.bases += [{} for _ in range(len(groups) - len(self.bases))]
        shared: list[tuple[Floats, list[Member]]] = []
        rates: list[tuple[float, memoryview]] = []
        moves = {"lr": None}
        for index, (group, name) in enumerate(zip(groups, names, strict=True)):
            places = set()
            for value, column in self._columns(index, group, name):
                where = place(group, value)
                assert where is not None  # _columns has looked
                if where in places:
                    raise ConfigError(f"also.{value}", UNSET, f"two names for one value of group {name!r}")
                places.add(where)
                multiples, members = _share(shared, column.multiples)
                members.append((index, *where, column.base))
                moves[value] = None
                if value == "lr":
                    rates.append((column.base, multiples.data))
        # A memoryview yields Python floats at the price of a list's lookup, without a list's memory.
        self._curves = [(multiples.data, members) for multiples, members in shared]
        self._rates, self.moves = rates, tuple(moves)
        self._groups, self._count = groups, len(groups)

    def _columns(self, index: int, group: dict[str, Any], name: str) -> Iterator[tuple[str, Column]]:
        """The columns of one group, its base values met or remembered."""
        schedule, bases = self.schedule.of_group(name), self.bases[index]
        for value in ("lr", *schedule.also):
            _require_value(group, name, value, f"also.{value}", "take it out of also, or give these groups another")
            bases[value] = group[f"initial_{value}"] = bases.get(value, initial_value(group, value))
        key = schedule, *bases.items()
        if key not in self._compiled:
            self._compiled[key] = schedule.columns(self.horizon, bases)
        for value, column in self._compiled[key].items():
            _require_value(group, name, value, value, f"give scheduler.{value}=null")
            yield value, column

    def _forget(self) -> None:
        """Drop what follows from schedule, horizon and bases; it is made anew at the next row."""
        self._groups: list[dict[str, Any]] | None = None
        self._count = 0
        self._curves: list[tuple[memoryview, list[Member]]] = []
        self._rates: list[tuple[float, memoryview]] = []
        self._compiled: dict[Any, dict[str, Column]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "horizon": self.horizon, "bases": [dict(base) for base in self.bases]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["schedule"], state["horizon"])
        self.bases = state["bases"]


def _share(shared: list[tuple[Floats, list[Member]]], multiples: Floats) -> tuple[Floats, list[Member]]:
    """The curve with these multiples and those who follow it; a new one where there is none yet."""
    for curve in shared:
        if curve[0] is multiples or np.array_equal(curve[0], multiples):
            return curve
    shared.append((multiples, []))
    return shared[-1]


def _require_value(group: Mapping[str, Any], name: str, value: str, key: str, remedy: str) -> None:
    if not has_value(group, value):
        numbers = [known for known in group if has_value(group, known)]
        rule = f"the schedule moves {value}, which the parameter group {name!r} does not have"
        close = nearest(value, numbers)
        raise ConfigError(key, UNSET, rule, close if close.startswith("did you") else remedy)
