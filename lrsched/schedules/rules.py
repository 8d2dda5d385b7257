"""What a convention is: one library's rules, a rule for each of our schedules that the library has.

Conventions know the schedules, and a schedule finds its convention by name (:func:`find`), as a shelf finds
its files. So imports run one way: ``rules`` below ``base``, ``base`` below ``conventions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules.checks import require
from lrsched.schedules.phases import Part

if TYPE_CHECKING:
    from lrsched.schedules.base import Schedule

ConventionName: TypeAlias = Literal["torch", "hf", "timm", "optax", "keras", "megatron", "titan"]
CONVENTIONS: tuple[ConventionName, ...] = get_args(ConventionName)

ALWAYS = ("past", "convention")
"""Parameters that every rule takes: they change no value of the run."""

OFF: Mapping[str, Any] = {"momentum": None}
"""The value that turns a parameter off, where its default does not."""

Lay: TypeAlias = Callable[[Any, "Span"], Sequence[Part]]
"""A schedule and its span -> the phases of the whole run, as multiples of the peak."""

Move: TypeAlias = Callable[[Any, "Span"], Mapping[str, Sequence[Part]]]
"""A schedule and its span -> the phases of the other values that it moves in a group, absolute."""

L = TypeVar("L", bound=Lay)


@dataclass(frozen=True)
class Span:
    """The steps that a rule lays phases over.

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
        """T: all steps of the run, warm-up included."""
        return self.horizon.steps

    @property
    def rest(self) -> int:
        """Steps after the warm-up."""
        return self.horizon.steps - self.warm

    def share(self, duration: str, key: str) -> float:
        """A duration as a share of the run in floating point, for libraries that count in shares."""
        return float(Fraction(self.horizon.exact(duration, key), self.steps))


@dataclass(frozen=True)
class Rule:
    """How a library lays one kind of schedule.

    Args:
        takes: the schedule's parameters that have a counterpart in the library.
        lay: lays the learning rate.
        companions: lays the other values.
    """

    takes: tuple[str, ...]
    lay: Lay
    companions: Move


class Convention:
    """One library's rules, by kind of schedule.

    Args:
        title: the library's name, for messages.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.rules: dict[type[Schedule], Rule] = {}

    def has(self, kind: type[Schedule], *takes: str, companions: Move = lambda schedule, span: {}) -> Callable[[L], L]:
        """Register the decorated function as the library's way to lay this kind of schedule."""

        def register(lay: L) -> L:
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
        """The error for a kind of schedule that the library does not have."""
        remedy = f"conventions that have it: {', '.join(others)}" if others else "no convention has it, give null"
        return ConfigError("convention", name, f"{self.title} has no {kind.__name__}", remedy)


def find(name: str) -> Convention:
    """The convention of that name; its file is imported when first asked for."""
    return import_module(f"lrsched.schedules.conventions.{name}").CONVENTION


def rule_of(schedule: Schedule) -> Rule:
    """The rule for this schedule in the library that ``schedule.convention`` names.

    Raises:
        ConfigError: the library does not have the schedule, or not with these parameters.
    """
    name, kind = str(schedule.convention), type(schedule)
    convention = find(name)
    if kind not in convention.rules:
        raise convention.lacks(name, kind, [other for other in CONVENTIONS if kind in find(other).rules])
    rule = convention.rules[kind]
    convention.check(schedule, rule)
    return rule
