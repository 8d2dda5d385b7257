"""The course of a run's values, step by step, and what can be said of it in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules import Plan
from lrsched.schedules.shapes import Floats

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
            (``lr/default``, …) first, and others that move.
        spans: the schedule's phases, in order; none where the curve is known by its values alone.
        note: what must be said about it, or "".
    """

    name: str
    horizon: Horizon
    base: float
    columns: Mapping[str, Floats]
    spans: tuple[Span, ...] = ()
    note: str = ""

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
