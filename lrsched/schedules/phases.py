"""Phases: whole numbers of steps that tile a run, and the plan that they make together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import ConfigError
from lrsched.schedules.shapes import Floats, Shape, constant, linear

Ends: TypeAlias = Literal["[)", "(]", "()", "[]"]
Past: TypeAlias = Literal["hold", "raise"]
Ints: TypeAlias = NDArray[np.int64]


def progress(i: Ints, steps: int, ends: Ends) -> Floats:
    """Local progress x of step ``i`` in a phase of ``steps`` steps that includes the named ends.

    ::

        "[)"  i/n      "(]"  (i+1)/n      "()"  (i+1)/(n+1)      "[]"  i/(n−1)

    >>> import numpy as np
    >>> [progress(np.arange(2), 2, ends).tolist() for ends in ("[)", "(]", "[]")]
    [[0.0, 0.5], [0.5, 1.0], [0.0, 1.0]]
    """
    if ends == "[)":
        return i / steps
    if ends == "(]":
        return (i + 1) / steps
    if ends == "()":
        return (i + 1) / (steps + 1)
    return i / max(1, steps - 1)


@dataclass(frozen=True)
class Phase:
    """``steps`` steps from ``start`` to ``end`` along ``shape``; ``ends`` are those trained at.

    A phase that the run's end cuts short keeps its course: ``whole`` is the length it was made for.

    The value at its step i is shape(start, end, x), with the progress x of :func:`progress`.

    Args:
        steps: how many, 0 or more.
        start: value at x = 0.
        end: value at x = 1.
        shape: the way between the two, a vectorised function of (start, end, x), x float64 in [0, 1].
        ends: ``[)`` trains at the start and not at the end, ``(]`` at the end alone, ``[]`` at both, ``()`` at neither.
        name: what a plot calls it.
        whole: steps that it was made for; 0: as many as ``steps``.

    >>> Phase(4, 0.0, 1.0, ends="(]").values().tolist()
    [0.25, 0.5, 0.75, 1.0]
    >>> Phase(4, 0.0, 1.0, ends="(]").cut(2).values().tolist()
    [0.25, 0.5]
    """

    steps: int
    start: float
    end: float
    shape: Shape = linear
    ends: Ends = "[)"
    name: str = ""
    whole: int = 0

    def at(self, i: Ints) -> Floats:
        """The values at the phase's own steps ``i``, int64 of any shape, from 0, in any order."""
        return self.shape(self.start, self.end, progress(i, self.whole or self.steps, self.ends))

    def values(self) -> Floats:
        """The values of all its steps, float64[steps]."""
        return self.at(np.arange(self.steps))

    def cut(self, steps: int) -> Phase:
        """Its first ``steps`` steps, unchanged."""
        return replace(self, steps=steps, whole=self.whole or self.steps)


@dataclass(frozen=True)
class Curve:
    """``steps`` steps whose values are a function of the phase's own step, vectorised.

    Args:
        steps: how many, 0 or more.
        value: values float64 at the steps i int64, of one shape; i counts from 0.
        name: what a plot calls it.

    >>> Curve(3, lambda i: 0.5**i).values().tolist()
    [1.0, 0.5, 0.25]
    """

    steps: int
    value: Callable[[Ints], Floats]
    name: str = ""

    def at(self, i: Ints) -> Floats:
        """The values at the curve's own steps ``i``, int64 of any shape, from 0, in any order."""
        return np.asarray(self.value(i), dtype=np.float64)

    def values(self) -> Floats:
        """The values of all its steps, float64[steps]."""
        return self.at(np.arange(self.steps))

    def cut(self, steps: int) -> Curve:
        """Its first ``steps`` steps, unchanged."""
        return replace(self, steps=steps)


Part: TypeAlias = Phase | Curve


def clip(parts: Iterable[Part], steps: int) -> list[Part]:
    """The first ``steps`` steps of ``parts``: the part in which they end is cut, not squeezed.

    >>> [part.steps for part in clip([Phase(4, 1.0, 0.0), Phase(4, 1.0, 0.0), Phase(4, 1.0, 0.0)], 6)]
    [4, 2]
    """
    kept: list[Part] = []
    for part in parts:
        if steps <= 0:
            break
        kept.append(part.cut(steps) if part.steps > steps else part)
        steps -= part.steps
    return kept


def rest(parts: Iterable[Part], after: int) -> list[Part]:
    """What ``parts`` do from their step ``after`` on: the part in which it lies goes on where it is.

    >>> [part.values().tolist() for part in rest([Phase(2, 1.0, 1.0), Phase(4, 1.0, 0.0)], 3)]
    [[0.75, 0.5, 0.25]]
    """
    kept: list[Part] = []
    for part in parts:
        if after < part.steps:
            kept.append(_shifted(part, after) if after > 0 else part)
        after -= part.steps
    return kept


def _shifted(part: Part, by: int) -> Part:
    return Curve(part.steps - by, lambda i: part.at(i + by), part.name)


def hold(steps: int, value: float, name: str) -> Phase:
    """``steps`` steps of the same value."""
    return Phase(steps, value, value, constant, name=name)


def floored(part: Part, floor: float) -> Part:
    """The part, but nowhere below ``floor``.

    >>> floored(Phase(4, 1.0, 0.0), 0.4).values().tolist()
    [1.0, 0.75, 0.5, 0.4]
    """
    if floor <= 0:
        return part
    return Curve(part.steps, lambda i: np.maximum(floor, part.at(i)), part.name)


@dataclass(frozen=True)
class Plan:
    """Phases that tile a run of ``steps`` steps: any value at any step, without history.

    Args:
        parts: the phases in order; empty ones are dropped.
        past: what a step after the end gets: the last value (``"hold"``) or an error (``"raise"``).

    >>> plan = Plan((Phase(2, 0.0, 1.0, ends="(]"), Phase(2, 1.0, 0.0)))
    >>> plan.table().tolist(), plan[3], plan[99]
    ([0.5, 1.0, 1.0, 0.5], 0.5, 0.5)
    """

    parts: tuple[Part, ...]
    past: Past = "hold"
    starts: Ints = field(init=False, repr=False, compare=False)
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        parts = tuple(part for part in self.parts if part.steps > 0)
        bounds = np.cumsum([0, *(part.steps for part in parts)])
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "starts", bounds[:-1])
        object.__setattr__(self, "steps", int(bounds[-1]))

    def table(self) -> Floats:
        """The values of all steps, float64[steps]."""
        return np.concatenate([part.values() for part in self.parts])

    def at(self, t: Ints | Sequence[int]) -> Floats:
        """The values at the steps ``t``, float64 of the same shape.

        Args:
            t: int64 of any shape, steps from 0, in any order, repeated or not.

        Raises:
            IndexError: a step below 0.
            ConfigError: with ``past="raise"``, a step past the end.
        """
        t = np.asarray(t, dtype=np.int64)
        if t.size and t.min() < 0:
            raise IndexError(f"step {t.min()} lies before the run")
        if self.past == "raise" and t.size and t.max() >= self.steps:
            rule = f"step {t.max()} lies after the schedule's {self.steps} steps"
            raise ConfigError("scheduler.past", "raise", rule, "use past=hold")
        inside = np.minimum(t, self.steps - 1).ravel()
        which = np.searchsorted(self.starts, inside, side="right") - 1
        order = np.argsort(which, kind="stable")
        values = np.empty(inside.shape)
        for here in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):  # the steps of one part each
            if here.size:
                index = which[here[0]]
                values[here] = self.parts[index].at(inside[here] - self.starts[index])
        return values.reshape(t.shape)

    def __getitem__(self, t: int) -> float:
        return float(self.at(np.array([t]))[0])

    def marks(self) -> list[tuple[int, str]]:
        """The first step of each phase, and its name; ``restart`` stands before one that rises after a fall.

        >>> Plan((Phase(2, 1.0, 0.0, name="cycle"), Phase(2, 1.0, 0.0, name="cycle"))).marks()
        [(0, 'cycle'), (2, 'restart: cycle')]
        """
        found, falling = list[tuple[int, str]](), False
        for part, start in zip(self.parts, self.starts.tolist(), strict=True):
            first, last = part.at(np.array([0, part.steps - 1]))
            rises = start > 0 and max(first, last) > self[start - 1]
            found.append((start, f"{'restart: ' if falling and rises else ''}{part.name or 'curve'}"))
            falling = last < first or (falling and not rises)
        return found

    def minima(self) -> list[int]:
        """The steps up to the end of each fall: up to a rise after it, or up to the end.

        >>> Plan((Phase(2, 0.0, 1.0), Phase(2, 1.0, 0.0), hold(2, 0.5, ""), Phase(2, 0.5, 1.0, ends="(]"))).minima()
        [6]
        """
        values = self.table()
        moves = np.sign(np.diff(values))
        at = np.flatnonzero(moves)  # value i + 1 is another one than value i
        falls = moves[at] < 0
        inner = at[1:][falls[:-1] & ~falls[1:]] + 1
        return [*inner.tolist(), *([self.steps] if len(at) and falls[-1] else [])]
