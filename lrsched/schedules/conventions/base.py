"""What a convention is: a library's rules, one for each schedule of ours that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import require
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import linear

ALWAYS = ("past", "convention")
"""Parameters that no rule needs to take: they change no value of the run."""

OFF: Mapping[str, Any] = {"momentum": None}
"""What turns a parameter off whose default does something; the others are off at their default."""

Lay: TypeAlias = Callable[[Any, "Run"], Sequence[Part]]
"""A schedule and its run -> the phases of the whole run, as multiples of the peak."""

Move: TypeAlias = Callable[[Any, "Run"], Mapping[str, Sequence[Part]]]
"""A schedule and its run -> the phases of the group's other values that it moves, absolute."""

F = TypeVar("F", bound=Lay)


@dataclass(frozen=True)
class Run:
    """What a rule lays its phases over.

    Args:
        horizon: the run.
        warm: steps of the warm-up.
        final: the schedule's ``final`` as a ratio of the peak.
    """

    horizon: Horizon
    warm: int
    final: float

    @property
    def steps(self) -> int:
        """T: all steps of the run, the warm-up among them."""
        return self.horizon.steps

    @property
    def rest(self) -> int:
        """Steps after the warm-up."""
        return self.horizon.steps - self.warm

    def share(self, duration: str, key: str) -> float:
        """A duration as a float share of the run, for libraries that count in shares of it."""
        return float(Fraction(self.horizon.exact(duration, key), self.steps))


@dataclass(frozen=True)
class Rule:
    """How a library has one kind of schedule.

    Args:
        takes: the schedule's parameters that have a counterpart there.
        lay: lays the learning rate.
        companions: lays the other values.
    """

    takes: tuple[str, ...]
    lay: Lay
    companions: Move


class Convention:
    """One library's way with the schedules.

    Args:
        title: the library's name, for messages.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.rules: dict[type[Schedule], Rule] = {}

    def has(self, kind: type[Schedule], *takes: str, companions: Move = lambda schedule, run: {}) -> Callable[[F], F]:
        """Says that the library has this kind of schedule, with these parameters, laid as decorated."""

        def register(lay: F) -> F:
            self.rules[kind] = Rule(takes, lay, companions)
            return lay

        return register

    def check(self, schedule: Schedule, rule: Rule) -> None:
        """Refuse a parameter that has no counterpart and is not off."""
        for field in fields(schedule):
            off = OFF.get(field.name, field.default)
            value = getattr(schedule, field.name)
            require(
                field.name in (*ALWAYS, *rule.takes) or value == off,
                field.name,
                value,
                f"has no counterpart in {self.title}'s {type(schedule).__name__}",
                f"give {field.name}={'null' if off is None else off}, or convention=null",
            )

    def lacks(self, name: str, kind: type[Schedule], others: Sequence[str]) -> ConfigError:
        """The complaint about a kind of schedule that the library does not have."""
        remedy = f"conventions that have it: {', '.join(others)}" if others else "no convention has it, give null"
        return ConfigError("convention", name, f"{self.title} has no {kind.__name__}", remedy)


def ramp(schedule: Schedule, run: Run, peak: float = 1.0) -> Phase:
    """Most libraries' warm-up: a line that trains at its start and leaves its end to the decay, ``[)``."""
    return Phase(run.warm, schedule.warmup_start, peak, linear, "[)", "warmup")


def after_ramp(schedule: Schedule, run: Run) -> Sequence[Part]:
    """That warm-up, and then our own curve on its own clock: most libraries' way with most schedules."""
    return [ramp(schedule, run), *schedule.body(run.rest, run.horizon, run.final)]
