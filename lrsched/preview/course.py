"""The course of a run's values, step by step, and what can be said of it in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lrsched.data.clock import Clock
from lrsched.horizon import Horizon
from lrsched.schedules import Plan
from lrsched.schedules.shapes import Floats

Integers = NDArray[np.int64]

RATE = "lr/"
ROUNDING = 1e-12
"""A change smaller than this part of the peak is rounding, neither a fall nor a rise."""


@dataclass(frozen=True)
class Span:
    """A phase of a run: steps [start, end)."""

    name: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.name} [{self.start}, {self.end})"


@dataclass(frozen=True, eq=False)
class Course:
    """Everything that a scheduler sets in one run.

    Args:
        name: of the scheduler.
        horizon: the run.
        base: ``optimizer.lr``.
        columns: float64[steps] each, by the names that a run's rows have: the rates of the groups
            (``lr/default``, …) first, and others that move. NaN: left alone in this part of the run.
        spans: the schedule's phases, in order; none where the curve is known by its values alone.
        note: what must be said about it, or "".
        cautions: lint, for the user to read.
        clock: of a run that goes on; None: one of a single pace.
    """

    name: str
    horizon: Horizon
    base: float
    columns: Mapping[str, Floats]
    spans: tuple[Span, ...] = ()
    note: str = ""
    cautions: tuple[str, ...] = ()
    clock: Clock | None = None

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.rate)

    @property
    def epochs(self) -> float:
        """Passes over the data in all of them."""
        return self.horizon.epochs if self.clock is None else self.epoch_at(self.steps)

    def epoch_at(self, step: int) -> float:
        """The epoch in the row of a step."""
        if self.clock is None:
            return step / (self.horizon.steps_per_epoch or self.horizon.steps)
        return (self.clock if step >= self.clock.start else self.clock.of_update(step)).epoch_at(step)

    @property
    def rates(self) -> dict[str, Floats]:
        """The learning rate of every step, by group."""
        return {name.removeprefix(RATE): rate for name, rate in self.columns.items() if name.startswith(RATE)}

    @property
    def group(self) -> str:
        """The group that the numbers speak of: ``default``, or where there is none the one with the highest rate."""
        rates = self.rates
        return "default" if "default" in rates else max(rates, key=lambda name: float(rates[name].max()))

    @property
    def rate(self) -> Floats:
        """The learning rate of every step in that group."""
        return self.rates[self.group]

    @property
    def area(self) -> float:
        """Area under the curve: the learning rates of all steps added up."""
        return float(self.rate.sum())

    @property
    def share(self) -> float:
        """The area as a part of that under a constant rate, Σ lr / (T·base); 0 where the base is 0."""
        constant = self.base * len(self.rate)
        return self.area / constant if constant else 0.0

    @property
    def restarts(self) -> int:
        """How often the rate rises after it fell."""
        return restarts(self.rate)


def joined(eras: Sequence[tuple[int, Course]]) -> Course:
    """The course of a run that goes on, step by step, from those that its settings had one after the other.

    Args:
        eras: of each, oldest first, the first step and the course of its whole plan at the pace of its clock.
    """
    last = eras[-1][1]
    assert last.clock is not None
    ends = [*(start for start, _ in eras[1:]), last.clock.steps(last.horizon.steps)]
    parts = [(course, _places(course, start, end)) for (start, course), end in zip(eras, ends, strict=True)]
    names = list(dict.fromkeys(name for course, _ in reversed(parts) for name in course.columns))
    columns = {name: np.concatenate([_column(course, name)[places] for course, places in parts]) for name in names}
    found: list[Span] = []
    for (start, _), (course, places) in zip(eras, parts, strict=True):
        for span in course.spans:
            first, end = (start + int(edge) for edge in np.searchsorted(places, (span.start, span.end)))
            if first == end:
                continue
            if found and found[-1].name == span.name and span.start < places[0]:  # it goes on
                first = found.pop().start
            found.append(Span(span.name, first, end))
    return replace(last, columns=columns, spans=tuple(found) if last.spans else ())


def _places(course: Course, start: int, end: int) -> Integers:
    """The steps of the plan at which these updates stand."""
    clock = course.clock
    if clock is None or clock.in_steps or not clock.start:
        return np.arange(start, end)
    whole = min(max(start, clock.start + clock.updates_left), end)  # from here on they go together
    rest = [clock.place(step) for step in range(start, whole)]
    return np.concatenate([np.array(rest, dtype=np.int64), np.arange(end - whole) + clock.place(whole)])


def _column(course: Course, name: str) -> Floats:
    """The values of a column; without one, those of the group that it goes with."""
    alone = np.full(course.horizon.steps, np.nan)
    return course.columns.get(name, course.columns.get(f"{name.partition('/')[0]}/default", alone))


def restarts(values: Floats) -> int:
    """How often ``values`` turn from falling to rising.

    >>> restarts(np.array([0.5, 1.0, 1.0, 0.5, 0.5, 1.0, 0.5]))
    1
    """
    if not len(values):
        return 0
    change = np.diff(values)
    ways = np.sign(change[np.abs(change) > ROUNDING * values.max()])
    return int(np.count_nonzero((ways[:-1] < 0) & (ways[1:] > 0)))


def spans(plan: Plan) -> tuple[Span, ...]:
    """The phases of a plan, with the steps that they take.

    >>> from lrsched.schedules import WSD
    >>> [str(span) for span in spans(WSD(warmup="1st", decay="2st").plan(Horizon(steps=8)))]
    ['warmup [0, 1)', 'stable [1, 6)', 'decay [6, 8)']
    """
    return tuple(
        Span(part.name or "curve", int(start), int(start) + part.steps)
        for part, start in zip(plan.parts, plan.starts, strict=True)
    )
