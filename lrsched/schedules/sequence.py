"""One schedule after another."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import below, require
from lrsched.schedules.cycles import whole_lengths
from lrsched.schedules.nested import require_schedule
from lrsched.schedules.phases import Part, floored, hold

REST = "rest"


@dataclass(frozen=True)
class Section:
    """A schedule and how long it lasts. In YAML: ``{length: 10%, schedule: {_target_: …}}``.

    Args:
        length: a duration, or ``rest``.
        schedule: any.
    """

    length: Duration
    schedule: Schedule


@dataclass(frozen=True, kw_only=True)
class Sequence(Schedule):
    """Schedules one after another, each with a clock of its own: v_j(t − s_j) for s_j ≤ t < s_{j+1}.

    The s_j are the running sums of the lengths. For a part, T is its own length; but a duration in
    percent is of the whole run, inside a part as everywhere. What follows a part starts from its own
    first value, whatever the part before came to. Another value that some parts move (momentum) stays
    in the others where it was, and before the first of them where that one starts.

    Args:
        parts: mappings of ``length``, a duration, and ``schedule``; the last length may be ``rest``.
            They tile what the warm-up leaves of the run.
        final: no step of any part is below it. Each part has a ``final`` of its own too.

    Raises:
        ConfigError: a part is no schedule, or the lengths do not tile the run.

    References:
        optax, ``join_schedules``, https://optax.readthedocs.io/en/latest/api/optimizer_schedules.html

    >>> from lrsched.schedules import Constant, Linear
    >>> two = Sequence(parts=[Section("2st", Constant()), Section("rest", Linear(warmup="1st"))])
    >>> two.plan(Horizon(steps=7)).table().tolist()
    [1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """

    parts: abc.Sequence[Section | abc.Mapping[str, Any]]

    def check(self) -> None:
        given = isinstance(self.parts, tuple) and len(self.parts) > 0
        require(given, "parts", self.parts, "must be a list of parts", "as in [{length: 10%, schedule: {…}}, …]")
        object.__setattr__(self, "parts", tuple(_section(f"parts[{j}]", part) for j, part in enumerate(self.parts)))
        for j, section in enumerate(self._sections[:-1]):
            require(section.length != REST, f"parts[{j}].length", REST, "only the last part can take the rest")

    @property
    def _sections(self) -> tuple[Section, ...]:
        return self.parts  # type: ignore[return-value]  # frozen into sections at construction

    def lengths(self, steps: int, horizon: Horizon) -> list[int]:
        """Whole steps of each part, of ``steps`` steps that they tile: the running sum is rounded half up."""
        exact: list[Fraction] = []
        for j, section in enumerate(self._sections):
            if section.length != REST:
                key = f"parts[{j}].length"
                exact.append(horizon.exact(section.length, key))
                require(exact[-1] > 0, key, section.length, "must be at least one step", "leave the part out")
        whole = list(whole_lengths(exact))
        if self._sections[-1].length == REST and sum(whole) <= steps:
            whole.append(steps - sum(whole))
        require(
            sum(whole) == steps,
            "parts",
            [section.length for section in self._sections],
            f"are parts of {', '.join(map(str, whole))} steps, {sum(whole)} of the {steps} that they are to tile",
            "let the last one be length=rest, or change a length",
        )
        return whole

    def phases(self, steps: int, horizon: Horizon, peak: float) -> abc.Sequence[Part]:
        phases: list[Part] = []
        for j, (section, length) in enumerate(zip(self._sections, self.lengths(steps, horizon), strict=True)):
            if length:
                with below(f"parts[{j}].schedule"):
                    phases += section.schedule.plan(horizon.part(length), peak).parts
        return [floored(phase, self._floor(peak)) for phase in phases]

    def companions(self, steps: int, horizon: Horizon) -> abc.Mapping[str, abc.Sequence[Part]]:
        tiles = [(s, n) for s, n in zip(self._sections, self.lengths(steps, horizon), strict=True) if n]
        plans = [section.schedule.companion_plans(horizon.part(length)) for section, length in tiles]
        columns: dict[str, list[Part]] = {}
        for name in dict.fromkeys(name for moved in plans for name in moved):
            value = next(moved[name][0] for moved in plans if name in moved)
            columns[name] = []
            for moved, (_, length) in zip(plans, tiles, strict=True):
                columns[name] += moved[name].parts if name in moved else (hold(length, value, "held"),)
                value = moved[name][length - 1] if name in moved else value
        return columns


def _section(key: str, part: Any) -> Section:
    if isinstance(part, abc.Mapping):
        part = cast("abc.Mapping[str, Any]", part)
        require(
            set(part) == {"length", "schedule"},
            key,
            f"{{{', '.join(map(str, part))}}}",
            "is a mapping of length and schedule",
            "as in {length: 10%, schedule: {_target_: lrsched.schedules.Cosine}}",
        )
        part = Section(part["length"], part["schedule"])
    require(isinstance(part, Section), key, part, "is a mapping of length and schedule")
    require_schedule(f"{key}.schedule", part.schedule)
    return part
