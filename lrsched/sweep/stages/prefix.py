"""Plan which runs go on from a state of another one: a tree of stages.

Runs that differ in their schedule alone make the same updates as long as their tables agree bit for bit. One
of them, the trunk, makes these updates for all; the others *fork* from it, at rest after so many steps.

A fork lies at the last step at which two tables agree, and each run makes the update of that step itself. So
a decay, which starts with the value that it decays from, is trained whole by its run; and the last row of a
run, which is logged and evaluated like no other, is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LEAST = 10
"""Steps that a fork must spare, and 1 % of the run: below that, saving and loading a state cost more."""

Table = NDArray[np.float64]
"""What update s is made with, in row s: float64[steps, values]."""


@dataclass(frozen=True)
class Stand:
    """Where a run stands before the sweep.

    Args:
        steps: of the whole run.
        at: updates that it has made, or -1: it is not begun, and so may begin at a fork.
        done: finished, or already running with a fixed plan.
        sound: its states are what this config makes, and nothing else was ever changed in it.
        kept: steps of the states that it has kept for others, or is about to.
    """

    steps: int
    at: int = -1
    done: bool = False
    sound: bool = True
    kept: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Fork:
    """A run begins with the state of run ``source`` after ``step`` updates."""

    source: int
    step: int


def common(tables: Sequence[Table]) -> NDArray[np.int64]:
    """How many rows two tables share from the first on, bit for bit: int64[runs, runs].

    In sorted order those with a common beginning are neighbours, and what two share is the least that any
    neighbours between them share.

    >>> import numpy as np
    >>> common([np.array([[1.0], [1.0]]), np.array([[2.0]]), np.array([[1.0], [0.5], [0.1]])]).tolist()
    [[2, 0, 1], [0, 1, 0], [1, 0, 3]]
    """
    contents = [np.ascontiguousarray(table).tobytes() for table in tables]
    order = sorted(range(len(tables)), key=contents.__getitem__)
    beside = [_shared_rows(tables[a], tables[b]) for a, b in pairwise(order)]
    shared = np.zeros((len(tables), len(tables)), dtype=np.int64)
    for place, index in enumerate(order):
        shared[index, index] = len(tables[index])
        onwards = np.minimum.accumulate(np.array(beside[place:], dtype=np.int64))
        shared[index, order[place + 1 :]] = onwards
        shared[order[place + 1 :], index] = onwards
    return shared


def _shared_rows(a: Table, b: Table) -> int:
    rows = min(len(a), len(b))
    bits = [np.ascontiguousarray(table[:rows]).view(np.int64) for table in (a, b)]
    differ = (bits[0] != bits[1]).any(axis=1)
    return int(differ.argmax()) if differ.any() else rows


def plan_forks(stands: Sequence[Stand], shared: NDArray[np.int64]) -> list[Fork | None]:
    """Where each run forks off another; None: it begins where it stands.

    The runs are taken one after another, and each one that is not begun forks from the one before it with
    which it shares most. Together they make the fewest updates possible, whatever the order: each makes those
    that none before it made. Those that share most come first, so that they are the trunk, and forks are early.

    Args:
        stands: of runs that differ in schedule and length alone.
        shared: of the same: how many rows of their tables are :func:`common`.
    """
    forks: list[Fork | None] = [None] * len(stands)
    starts = {index: stand.at for index, stand in enumerate(stands) if stand.done or stand.at >= 0}
    begun, rest = list(starts), [index for index in range(len(stands)) if index not in starts]
    rest.sort(key=lambda index: (-int(shared[index].sum()), -stands[index].steps))
    placed = begun
    for index in rest:
        found = [fork for source in placed if (fork := _fork(source, shared[index, source], stands, starts))]
        best = max(found, key=lambda fork: fork.step, default=None)
        if best is not None and best.step >= max(LEAST, stands[index].steps / 100):
            forks[index] = best
        fork = forks[index]
        starts[index] = fork.step if fork else 0
        placed.append(index)
    return forks


def _fork(source: int, rows: int, stands: Sequence[Stand], starts: dict[int, int]) -> Fork | None:
    """The last state of a run that another one, with so many common rows, can begin with."""
    stand, last = stands[source], int(rows) - 1
    if not stand.sound:
        return None
    possible = [step for step in stand.kept if step <= last]
    if not stand.done and starts[source] <= last:
        possible.append(last)
    return Fork(source, max(possible)) if possible else None


def to_train(stands: Sequence[Stand], forks: Sequence[Fork | None]) -> list[int]:
    """The updates each run has to make."""
    return [
        0 if stand.done else max(0, stand.steps - (fork.step if fork else max(0, stand.at)))
        for stand, fork in zip(stands, forks, strict=True)
    ]


def critical_paths(stands: Sequence[Stand], forks: Sequence[Fork | None]) -> list[int]:
    """The updates from the start of a run until all that depend on it are done, in sequence."""
    longest = to_train(stands, forks)
    starts = [fork.step if fork else max(0, stand.at) for stand, fork in zip(stands, forks, strict=True)]
    takers: dict[int, list[int]] = {}
    for index, fork in enumerate(forks):
        takers.setdefault(-1 if fork is None else fork.source, []).append(index)
    order = list(takers.get(-1, ()))
    for index in order:  # it grows: those who fork come after those they fork from
        order += takers.get(index, ())
    for index in reversed(order):
        fork = forks[index]
        if fork is not None:
            until = max(0, fork.step - starts[fork.source])
            longest[fork.source] = max(longest[fork.source], until + longest[index])
    return longest
