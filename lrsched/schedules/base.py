"""What every schedule is, and what every one of ours takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from lrsched.horizon import Duration, Horizon
from lrsched.schedules import shapes
from lrsched.schedules.checks import number, one_of, require
from lrsched.schedules.phases import Part, Phase, Plan
from lrsched.schedules.shapes import Floats

WARMUP_SHAPES = ("linear", "cosine", "polynomial", "exponential", "sqrt", "constant")


@dataclass(frozen=True)
class Absolute:
    """A value that is not a ratio of the group's peak. In YAML: ``final: {absolute: 1e-5}``."""

    value: float


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """An open-loop curve: pure, frozen, hashable; it holds no optimizer, no counter, no model.

    A subclass is a frozen dataclass of its own parameters and implements :meth:`body`.

    Args:
        warmup: a phase in front, from ``warmup_start`` to the schedule's first value, trained at its
            end and not at its start (``(]``): no step is wasted at 0, and the peak is used. The
            schedule's own clock starts after it.
        warmup_start: multiple of the peak that the warm-up starts from, at least 0.
        warmup_shape: linear, cosine, polynomial, exponential, sqrt or constant.
        warmup_power: the power of a polynomial warm-up.
        final: where the decay tends to: a ratio of each group's own peak, or :class:`Absolute`.
            A curve that tends to nothing by itself is never below it.
        past: what a step after the horizon gets: the last value (``hold``), or an error (``raise``).

    Raises:
        ConfigError: a value out of its range, or lengths that do not fit into the run.
    """

    warmup: Duration = "0st"
    warmup_start: float = 0.0
    warmup_shape: Literal["linear", "cosine", "polynomial", "exponential", "sqrt", "constant"] = "linear"
    warmup_power: float = 2.0
    final: float | Absolute | Mapping[str, float] = 0.0
    past: Literal["hold", "raise"] = "hold"

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _freeze(field.name, getattr(self, field.name)))
        number("warmup_start", self.warmup_start, "[0, inf)")
        one_of("warmup_shape", self.warmup_shape, WARMUP_SHAPES)
        number("warmup_power", self.warmup_power, "(0, inf)")
        number("final", self.final.value if isinstance(self.final, Absolute) else self.final, "[0, inf)")
        one_of("past", self.past, ("hold", "raise"))
        self.check()

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
        """The body in a group whose base value is ``peak``. Schedules made of others implement this one:
        their floors, which may be absolute, are measured against it."""
        return self.body(steps, horizon, self._floor(peak))

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        """Other values of the group that the schedule moves, absolute (one-cycle: momentum)."""
        return {}

    def lead(self, horizon: Horizon) -> int:
        """Steps of the warm-up in front of the body."""
        warm = horizon.resolve(self.warmup, "warmup")
        require(
            warm < horizon.steps,
            "warmup",
            self.warmup,
            f"is {warm} steps and leaves nothing of a run of {horizon.steps} steps",
            "shorten it or train longer",
        )
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
        """
        lead = self.lead(horizon)
        body = Plan(tuple(self.phases(horizon.steps - lead, horizon, peak)), self.past)
        if lead + body.steps != horizon.steps:  # a fault of the subclass, not of the user
            raise ValueError(f"{type(self).__name__}.body tiles {body.steps} of {horizon.steps - lead} steps")
        return Plan((self.ramp(lead, body[0]), *body.parts), self.past) if lead else body

    def table(self, horizon: Horizon, lr: float = 1.0) -> dict[str, Floats]:
        """Every value that the schedule sets in one parameter group, float64[steps] each, absolute.

        >>> from lrsched.schedules import Linear
        >>> Linear().table(Horizon(steps=4), lr=0.1)["lr"].tolist()
        [0.1, 0.07500000000000001, 0.05, 0.025]
        """
        companions = {name: plan.table() for name, plan in self.companion_plans(horizon).items()}
        return {"lr": lr * self.plan(horizon, lr).table(), **companions}

    def companion_plans(self, horizon: Horizon) -> dict[str, Plan]:
        """The other values that it moves, for every step of the run; they wait during the warm-up."""
        lead = self.lead(horizon)
        plans = {}
        for name, parts in self.companions(horizon.steps - lead, horizon).items():
            body = Plan(tuple(parts), self.past)
            wait = Phase(lead, body[0], body[0], shapes.constant, name="warmup")
            plans[name] = Plan((wait, *body.parts), self.past)
        return plans

    def _floor(self, peak: float) -> float:
        """``final`` as a ratio of the peak."""
        if isinstance(self.final, Absolute):
            return self.final.value / peak if peak else 0.0
        assert not isinstance(self.final, Mapping)  # frozen at construction
        return float(self.final)


def _freeze(key: str, value: Any) -> Any:
    """Lists become tuples and ``{absolute: v}`` becomes Absolute, so that a schedule can be hashed."""
    if isinstance(value, Mapping) and key == "final":
        require(set(value) == {"absolute"}, key, dict(value), "is a ratio, or {absolute: VALUE}")
        return Absolute(value["absolute"])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_freeze(key, item) for item in value)
    return value
