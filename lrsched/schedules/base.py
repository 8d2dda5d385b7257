"""What every schedule is, and what every one of ours takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, cast, get_args

from lrsched.errors import UNSET
from lrsched.horizon import Duration, Horizon
from lrsched.schedules import shapes
from lrsched.schedules.checks import number, one_of, require
from lrsched.schedules.named import Frozen, check_also, check_groups, matches, whole
from lrsched.schedules.phases import Part, Past, Phase, Plan
from lrsched.schedules.rules import CONVENTIONS, ConventionName, Span, rule_of
from lrsched.schedules.shapes import WARMUP_SHAPES, Floats, WarmupShape
from lrsched.units import count


@dataclass(frozen=True)
class Absolute:
    """A value that is not a ratio of the group's peak. In YAML: ``final: {absolute: 1e-5}``.

    Args:
        value: a learning rate, at least 0.
    """

    value: float


class Column(NamedTuple):
    """One value of a parameter group over the run: ``base`` times ``multiples``, float64[steps]."""

    base: float
    multiples: Floats


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """An open-loop curve: pure, frozen, hashable; it holds no optimizer, no counter, no model.

    A subclass is a frozen dataclass of its own parameters and implements :meth:`body`. To the methods,
    ``horizon`` is the run, by which durations become steps, ``steps`` how many of them the body tiles, and
    ``peak`` the group's base value; what does not fit into the run is a ConfigError.

    Args:
        warmup: a duration: a phase in front, from ``warmup_start`` to the schedule's first value, trained
            at its end and not at its start (``(]``): no step is wasted at 0, and the peak is used. The
            schedule's own clock starts after it.
        warmup_start: multiple of the peak that the warm-up starts from, at least 0.
        warmup_shape: linear, cosine, polynomial, exponential, sqrt or constant.
        warmup_power: the power of a polynomial warm-up.
        final: where the decay tends to: a ratio of each group's own peak, or :class:`Absolute`.
            A curve that tends to nothing by itself is never below it.
        past: what a step after the horizon gets: the last value (``hold``), or an error (``raise``).
        convention: another library's numbers, where it has this schedule: see
            :mod:`lrsched.schedules.conventions`. None is ours, as described here.
        also: curves for other values of the group, as multiples of the group's own base value of that
            name: another schedule, of which only the curve itself counts, or ``"same"`` for the
            multiples of the learning rate. Any number in a group has a name: ``weight_decay``,
            ``momentum`` (or Adam's first beta), ``beta2``, …
        groups: other schedules for parameter groups, by name or by a regular expression that matches
            the whole name; the first match wins. They bring their own ``also``.

    Raises:
        ConfigError: a value out of its range, lengths that do not fit into the run, or a convention
            that does not have this schedule or one of the parameters given.
    """

    snapshots: ClassVar[bool] = False
    """Whether a run keeps its weights at the :meth:`minima` unless it is told not to."""

    warmup: Duration = "0st"
    warmup_start: float = 0.0
    warmup_shape: WarmupShape = "linear"
    warmup_power: float = 2.0
    final: float | Absolute | Mapping[str, float] = 0.0
    past: Past = "hold"
    convention: ConventionName | None = None
    also: Mapping[str, Schedule | Literal["same"]] = Frozen({})
    groups: Mapping[str, Schedule] = Frozen({})

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _freeze(field.name, getattr(self, field.name)))
        number("warmup_start", self.warmup_start, "[0, inf)")
        one_of("warmup_shape", self.warmup_shape, WARMUP_SHAPES)
        number("warmup_power", self.warmup_power, "(0, inf)")
        number("final", self.final.value if isinstance(self.final, Absolute) else self.final, "[0, inf)")
        one_of("past", self.past, get_args(Past))
        check_also(self.also, Schedule)
        check_groups(self.groups, Schedule)
        self.check()
        if self.convention is not None:
            one_of("convention", self.convention, CONVENTIONS)
            rule_of(self)

    def check(self) -> None:
        """Refuse values of the schedule's own parameters that make no sense."""

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        """The phases after the warm-up, as multiples of the peak.

        Args:
            steps: how many steps they tile; the schedule's own clock runs from 0 to ``steps``.
            horizon: the whole run, for durations: 5% is always 5 % of the run.
            final: ``self.final`` as a ratio of the peak.
        """
        raise NotImplementedError

    def phases(self, steps: int, horizon: Horizon, peak: float) -> Sequence[Part]:
        """The body in a group whose base value is ``peak``.

        Schedules made of others implement this one: their floors, which may be absolute, are measured against it.
        """
        return self.body(steps, horizon, self._floor(peak))

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        """The phases of other values of the group that the schedule moves, absolute (one-cycle: momentum)."""
        return {}

    def cautions(self, steps: int, horizon: Horizon) -> list[str]:
        """What to warn of in a run where the body tiles ``steps`` steps: a milestone that is never reached."""
        return []

    def lead(self, horizon: Horizon) -> int:
        """The steps of the warm-up in front of the body."""
        warm = horizon.resolve(self.warmup, "warmup")
        rule = f"is {count(warm, 'step')} and leaves nothing of a run of {count(horizon.steps, 'step')}"
        require(warm < horizon.steps, "warmup", self.warmup, rule, "shorten it or train longer")
        return warm

    def ramp(self, steps: int, peak: float) -> Phase:
        """The warm-up: ``steps`` steps that end at ``peak``."""
        start, shape = self.warmup_start, self.warmup_shape
        require(start <= peak, "warmup_start", start, f"lies above {peak:g}, which the warm-up leads to", "lower it")
        require(
            start > 0 or shape not in ("constant", "exponential"),
            "warmup_start",
            start,
            f"a warm-up of shape {shape} that starts at 0 stays there",
            "give a start above 0, as in warmup_start=0.1, or another warmup_shape",
        )
        along = shapes.named(shape, WARMUP_SHAPES, key="warmup_shape", power=self.warmup_power)
        return Phase(steps, start, peak, along, "(]", "warmup")

    def plan(self, horizon: Horizon, peak: float = 1.0) -> Plan:
        """The multiples of a group's base learning rate, for every step of the run.

        Args:
            horizon: the run.
            peak: the group's base value, which an absolute floor is measured against.

        Raises:
            ConfigError: the schedule does not fit into the run.
            ValueError: the body of a subclass tiles another number of steps.
        """
        lead = self.lead(horizon)
        if self.convention is not None:
            span = Span(horizon, lead, self._floor(peak))
            return Plan(tuple(rule_of(self).lay(self, span)), self.past)
        body = Plan(tuple(self.phases(horizon.steps - lead, horizon, peak)), self.past)
        if lead + body.steps != horizon.steps:  # a fault of the subclass, not of the user
            raise ValueError(f"{type(self).__name__}.body tiles {body.steps} of {horizon.steps - lead} steps")
        return Plan((self.ramp(lead, body[0]), *body.parts), self.past) if lead else body

    def columns(self, horizon: Horizon, base: Mapping[str, float] | float = 1.0) -> dict[str, Column]:
        """Every value that the schedule moves in one parameter group, ``lr`` first.

        Args:
            horizon: the run.
            base: the group's base values by name, or that of ``lr`` alone; a name that is not given is 1.
        """
        bases = base if isinstance(base, Mapping) else {"lr": base}
        rate = Column(bases.get("lr", 1.0), self.plan(horizon, bases.get("lr", 1.0)).table())
        columns = {"lr": rate}
        for name, plan in self.companion_plans(horizon).items():
            require(
                name not in self.also, f"also.{name}", UNSET, f"the schedule itself moves {name}", f"give {name}=null"
            )
            columns[name] = Column(1.0, plan.table())
        for name, curve in self.also.items():
            own = bases.get(name, 1.0)
            columns[name] = Column(own, rate.multiples if curve == "same" else curve.plan(horizon, own).table())
        return columns

    def companion_plans(self, horizon: Horizon) -> dict[str, Plan]:
        """The other values that it moves by itself, for every step of the run; they wait during the warm-up."""
        lead = self.lead(horizon)
        if self.convention is not None:
            moved = rule_of(self).companions(self, Span(horizon, lead, final=0.0))
            return {name: Plan(tuple(parts), self.past) for name, parts in moved.items()}
        plans: dict[str, Plan] = {}
        for name, parts in self.companions(horizon.steps - lead, horizon).items():
            body = Plan(tuple(parts), self.past)
            wait = Phase(lead, body[0], body[0], shapes.constant, name="warmup")
            plans[name] = Plan((wait, *body.parts), self.past)
        return plans

    def table(self, horizon: Horizon, base: Mapping[str, float] | float = 1.0) -> dict[str, Floats]:
        """The same as absolute values, float64[steps] each.

        Args:
            base: as for :meth:`columns`.

        >>> from lrsched.schedules import Linear
        >>> Linear().table(Horizon(steps=4), 0.1)["lr"].tolist()
        [0.1, 0.07500000000000001, 0.05, 0.025]
        >>> decoupled = Linear(also={"weight_decay": "same"})
        >>> decoupled.table(Horizon(steps=4), {"lr": 0.1, "weight_decay": 0.5})["weight_decay"].tolist()
        [0.5, 0.375, 0.25, 0.125]
        """
        return {name: base * multiples for name, (base, multiples) in self.columns(horizon, base).items()}

    def minima(self, horizon: Horizon) -> list[int]:
        """Where the rate turns from falling to rising, and the end of a run that it falls to: completed steps.

        >>> from lrsched.schedules import SGDR, Linear
        >>> SGDR(first="3st").minima(Horizon(steps=8)), Linear().minima(Horizon(steps=8))
        ([3, 6, 8], [8])
        """
        return self.plan(horizon).minima()

    def of_group(self, name: str) -> Schedule:
        """The schedule of the parameter group ``name``: the first match in ``groups``, or this one.

        A part of a group (``head/no_decay``) goes with the whole, unless an entry speaks of it itself.

        >>> from lrsched.schedules import Constant, Linear
        >>> [type(Linear(groups={"head.*": Constant()}).of_group(name)).__name__ for name in ("head/bias", "ahead")]
        ['Constant', 'Linear']
        """
        for part in (name, whole(name)):
            for word, other in self.groups.items():
                if matches(word, part):
                    return other
        return self

    def _floor(self, peak: float) -> float:
        """``final`` as a ratio of the peak."""
        if isinstance(self.final, Absolute):
            return self.final.value / peak if peak else 0.0
        assert not isinstance(self.final, Mapping)  # frozen at construction
        return float(self.final)


def _freeze(key: str, value: Any) -> Any:
    """Lists become tuples, mappings Frozen and ``{absolute: v}`` Absolute, so that a schedule can be hashed."""
    if key in ("also", "groups"):
        require(isinstance(value, Mapping), key, value, "must be a mapping {name: schedule}")
        return Frozen(dict(sorted(value.items())) if key == "also" else value)
    if isinstance(value, Mapping) and key == "final":
        final = cast("Mapping[str, Any]", value)
        require(set(final) == {"absolute"}, key, dict(final), "is a ratio, or {absolute: VALUE}")
        return Absolute(final["absolute"])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_freeze(key, item) for item in cast("Sequence[Any]", value))
    return cast("Any", value)
