"""The rows of a schedule's table, for all parameter groups of one optimizer: compiled once, looked up by step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from lrsched.errors import UNSET, ConfigError, nearest
from lrsched.horizon import Horizon
from lrsched.schedulers.base import names_of
from lrsched.schedulers.values import Place, has_value, initial_value, place, put_value
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
    ``initial_NAME`` where there is one, and otherwise the value from which the schedule comes to the
    group's value at the update in force: value / multiple, or the value itself where the multiple is 0
    or nothing is in force yet. They are written into the group as ``initial_NAME``, as torch does with
    ``initial_lr``, and so become part of the optimizer's state: whatever is loaded, in whatever order,
    no scheduled value is taken for a base.

    Groups that share a tensor, as torch makes them of ``lr=torch.tensor(…)``, get one each.

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
        self._at: int | None = None  # the update whose values are in force
        self._forget()

    def put(self, groups: list[dict[str, Any]], step: int) -> None:
        """Put the values of update ``step`` into force; after the end those of the last one."""
        self.meet(groups)
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
        self._at = step

    def meet(self, groups: list[dict[str, Any]]) -> None:
        """Take in the groups if they are others than before."""
        if groups is not self._groups or len(groups) != self._count:
            self.bind(groups)

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
        tensors: set[int] = set()
        for index, (group, name) in enumerate(zip(groups, names, strict=True)):
            places: set[Place] = set()
            for value, column in self._columns(index, group, name):
                where = place(group, value)
                assert where is not None  # _columns has looked
                if where in places:
                    raise ConfigError(f"also.{value}", UNSET, f"two names for one value of group {name!r}")
                places.add(where)
                _unshare(group, where, tensors)
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
            if value not in bases:
                bases[value] = initial_value(group, value)
                if self._at is not None and group.get(f"initial_{value}") is None:
                    bases[value] = self._base_of(schedule, value, bases, self._at)
            group[f"initial_{value}"] = bases[value]
        key = schedule, *bases.items()
        if key not in self._compiled:
            self._compiled[key] = schedule.columns(self.horizon, bases)
        for value, column in self._compiled[key].items():
            _require_value(group, name, value, value, f"give scheduler.{value}=null")
            yield value, column

    def _base_of(self, schedule: Schedule, value: str, bases: Mapping[str, float], at: int) -> float:
        """The base value from which the schedule comes to ``bases[value]`` at update ``at``; that itself if none does.

        Without an absolute floor the multiples are the same for every base, and one division finds it. With
        one the value is a straight line over the base, which two of its points determine.
        """

        def multiple(base: float) -> float:
            return float(schedule.columns(self.horizon, {**bases, value: base})[value].multiples[at])

        given = bases[value]
        first = multiple(given)
        if not first or not given:
            return given
        base = given / first
        second = multiple(base)
        if second != first:
            rise = base * second - given * first
            base = given + (given - given * first) * (base - given) / rise if rise else given
        return base if 0 < base < math.inf else given

    def _forget(self) -> None:
        """Drop what follows from schedule, horizon and bases; it is made anew at the next row."""
        self._groups: list[dict[str, Any]] | None = None
        self._count = 0
        self._curves: list[tuple[memoryview, list[Member]]] = []
        self._rates: list[tuple[float, memoryview]] = []
        self._compiled: dict[Any, dict[str, Column]] = {}

    def __getstate__(self) -> dict[str, Any]:
        bases = [dict(base) for base in self.bases]
        return {"schedule": self.schedule, "horizon": self.horizon, "bases": bases, "at": self._at}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["schedule"], state["horizon"])
        self.bases, self._at = state["bases"], state["at"]


def _share(shared: list[tuple[Floats, list[Member]]], multiples: Floats) -> tuple[Floats, list[Member]]:
    """The curve with these multiples and those who follow it; a new one where there is none yet."""
    for curve in shared:
        if curve[0] is multiples or np.array_equal(curve[0], multiples):
            return curve
    shared.append((multiples, []))
    return shared[-1]


def _unshare(group: dict[str, Any], where: Place, tensors: set[int]) -> None:
    """Give a group a tensor of its own where one that was met before, of those in ``tensors``, stands."""
    key, item = where
    value = group[key] if item is None else group[key][item]
    if isinstance(value, Tensor):
        if id(value) in tensors:
            value = value.clone()
            group[key] = value if item is None else (*group[key][:item], value, *group[key][item + 1 :])
        tensors.add(id(value))


def _require_value(group: Mapping[str, Any], name: str, value: str, key: str, remedy: str) -> None:
    if not has_value(group, value):
        numbers = [known for known in group if has_value(group, known)]
        rule = f"the schedule moves {value}, which the parameter group {name!r} does not have"
        close = nearest(value, numbers)
        raise ConfigError(key, UNSET, rule, close if close.startswith("did you") else remedy)
