"""Plan which runs fork from a state of another run: a stage tree.

Runs that differ only in their schedule make the same updates as long as their tables agree bit for bit. One of
them, the trunk, makes these updates for all; the others *fork* from it, at rest after that many steps.

A fork lies at the last step at which two tables agree, and each run makes the update of that step itself. So
each run trains its whole decay, which starts at the value that it decays from, and makes its own last row, which
is logged and evaluated like no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LEAST = 10
"""A fork must save this many steps, and 1 % of the run: below that, saving and loading a state costs more."""

Table = NDArray[np.float64]
"""The values in force at update s, in row s: float64[steps, values]."""


@dataclass(frozen=True)
class Stand:
    """Where a run stands before the sweep.

    Args:
        steps: of the whole run.
        at: updates that it has made, or -1 if it has not begun: it may start at a fork.
        done: finished, or already running with a fixed plan.
        sound: its states were made by this config alone, without later changes.
        kept: steps of the states that it has saved for others, or will.
    """

    steps: int
    at: int = -1
    done: bool = False
    sound: bool = True
    kept: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Fork:
    """The start of a run: the state of run ``source`` after ``step`` updates."""

    source: int
    step: int


def common(tables: Sequence[Table]) -> NDArray[np.int64]:
    """Count the leading rows that each pair of tables shares, bit for bit: int64[runs, runs].

    In sorted order tables with a common beginning are neighbours, and two tables share the least number of rows that
    any neighbours between them share.

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
    """Choose where each run forks from another; None: it starts where it stands.

    Take the runs one by one, and let each run that has not begun fork from the earlier run with which it shares most.
    Together they make the fewest possible updates in any order: each makes those that no earlier run made. Runs that
    share most come first: they become the trunk, and forks are early.

    Args:
        stands: of runs that differ only in schedule and length.
        shared: the rows of their tables that are :func:`common`.
    """
    forks: list[Fork | None] = [None] * len(stands)
    starts = {index: stand.at for index, stand in enumerate(stands) if stand.done or stand.at >= 0}
    rest = [index for index in range(len(stands)) if index not in starts]
    rest.sort(key=lambda index: (-int(shared[index].sum()), -stands[index].steps))
    for index in rest:
        found = [fork for source in starts if (fork := _fork(source, shared[index, source], stands, starts))]
        best = max(found, key=lambda fork: fork.step, default=None)
        if best is not None and best.step >= max(LEAST, stands[index].steps / 100):
            forks[index] = best
        starts[index] = start(stands[index], forks[index])
    return forks


def start(stand: Stand, fork: Fork | None) -> int:
    """The step from which a run that is not done trains."""
    return fork.step if fork else max(0, stand.at)


def _fork(source: int, rows: int, stands: Sequence[Stand], starts: dict[int, int]) -> Fork | None:
    """The last state of run ``source`` from which a run with so many common rows can start."""
    stand, last = stands[source], int(rows) - 1
    if not stand.sound:
        return None
    possible = [step for step in stand.kept if step <= last]
    if not stand.done and starts[source] <= last:
        possible.append(last)
    return Fork(source, max(possible)) if possible else None


def to_train(stands: Sequence[Stand], forks: Sequence[Fork | None]) -> list[int]:
    """The updates that each run has to make."""
    return [
        0 if stand.done else max(0, stand.steps - start(stand, fork)) for stand, fork in zip(stands, forks, strict=True)
    ]


def critical_paths(stands: Sequence[Stand], forks: Sequence[Fork | None]) -> list[int]:
    """The updates from the start of each run until it and all its dependents are done, in sequence."""
    longest = to_train(stands, forks)
    starts = [start(stand, fork) for stand, fork in zip(stands, forks, strict=True)]
    takers: dict[int, list[int]] = {}
    for index, fork in enumerate(forks):
        takers.setdefault(-1 if fork is None else fork.source, []).append(index)
    order = list(takers.get(-1, ()))
    for index in order:  # it grows: forks come after their sources
        order += takers.get(index, ())
    for index in reversed(order):
        fork = forks[index]
        if fork is not None:
            until = max(0, fork.step - starts[fork.source])
            longest[fork.source] = max(longest[fork.source], until + longest[index])
    return longest
