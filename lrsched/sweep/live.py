"""A sweep on a terminal: how many of its runs are done, and below that a line for each job that is at work."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from lrsched.sweep.board import Board, Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

    from lrsched.sweep.pool import Running

REFRESH_SECONDS = 0.2


def watched(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Live:
    """A context in which :meth:`look` draws. No thread draws by itself: the process that it is in forks.

    Args:
        board: where the jobs say how far they are.
        labels: what to call each job, by its number in the pool.
        done: runs that are done, of ``total``.
        total: runs of the sweep.
        stream: where to draw.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        board: Board,
        labels: Sequence[str],
        done: Callable[[], int],
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        self._board, self._labels, self._done, self._clock = board, labels, done, clock
        self._drawn = -math.inf
        self._bars = Bars(
            BarColumn(table_column=Column(max_width=20)),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=Console(file=stream or sys.stderr, force_terminal=True, highlight=False),
            auto_refresh=False,
            redirect_stdout=False,  # stdout is for results; what goes to stderr is printed above the bars
        )
        self._total = total
        self._all = self._bars.add_task("", total=total)
        self._of: dict[int, TaskID] = {}  # the bar of each running job, by its number in the pool

    def __enter__(self) -> Live:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._draw([])
        self._bars.stop()

    def look(self, running: Sequence[Running]) -> None:
        """Draw, if it was not just done."""
        now = self._clock()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._draw(running)

    def _draw(self, running: Sequence[Running]) -> None:
        for index in set(self._of) - {child.index for child in running}:
            self._bars.remove_task(self._of.pop(index))
        for child in running:
            bar = self._of.get(child.index)
            if bar is None:
                bar = self._of[child.index] = self._bars.add_task("")
            seen = self._board.read(child.slot)
            text = f"{described(seen)}  {self._labels[child.index]}"
            self._bars.update(bar, total=seen.steps or None, completed=seen.step, description=text)
        done = self._done()
        self._bars.update(self._all, completed=done, description=f"{done}/{self._total} runs", refresh=True)


def described(seen: Progress) -> str:
    """How far a job is, in words.

    >>> described(Progress(40, 120, "val/loss", 0.25))
    '40/120  val/loss 0.2500'
    >>> described(Progress(0, 0, "", 0.0))
    'starting'
    """
    if not seen.steps:
        return "starting"
    return f"{seen.step}/{seen.steps}" + (f"  {seen.metric} {seen.value:.4f}" if seen.metric else "")


def told_apart(jobs: Sequence[Sequence[str]]) -> list[str]:
    """A name for each job: of its overrides those that not all have.

    >>> told_apart([["name=a", "seed=0"], ["name=a", "seed=1"]])
    ['seed=0', 'seed=1']
    """
    common = set.intersection(*map(set, jobs)) if len(jobs) > 1 else set()
    return [" ".join(item for item in overrides if item not in common) for overrides in jobs]
