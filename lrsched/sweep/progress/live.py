"""Draw a sweep on a terminal: a line for all runs, and one for each running job."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from lrsched.loggers.slots import Progress, ProgressBoard
from lrsched.loggers.terminal import span
from lrsched.sweep.combinations import in_common
from lrsched.sweep.progress.eta import Remaining
from lrsched.units import shown

if TYPE_CHECKING:
    from rich.progress import TaskID

    from lrsched.sweep.processes import Running

REFRESH_SECONDS = 0.2
BAR = 20
MARGIN = 4
"""Columns of a bar, and columns left free at the end of a line."""


@dataclass(frozen=True)
class Tally:
    """Counts of a sweep's runs.

    Args:
        done: runs that are done.
        failed: runs that failed; a stopped run is neither.
        total: runs of the sweep.
        trained: steps made by ended jobs of this pool.
        ahead: steps of jobs that have not begun; None: unknown.
        own: steps that each job had to make when it began, by its number in the pool.
        stopping: no more jobs begin.
    """

    done: int
    failed: int
    total: int
    trained: int = 0
    ahead: int | None = None
    own: Mapping[int, int] = field(default_factory=dict)
    stopping: bool = False


class Live:
    """A context in which :meth:`look` draws; its end clears the drawing. No thread draws, because the process forks.

    Args:
        board: the progress of the running jobs.
        labels: the name of each job, by its number in the pool.
        tally: counts the runs so far.
        stream: where to draw, None for stderr.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        board: ProgressBoard,
        labels: Sequence[str],
        tally: Callable[[], Tally],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        self._board, self._labels, self._tally, self._clock = board, labels, tally, clock
        self._drawn, self._began = -math.inf, clock()
        self._remaining = Remaining(self._began)
        self._console = Console(file=stream or sys.stderr, force_terminal=True, highlight=False)
        self._bars = Bars(
            BarColumn(BAR, table_column=Column(width=BAR, no_wrap=True)),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,  # stdout is for results; other output on stderr appears above the bars
            transient=True,
        )
        self._all = self._bars.add_task("", total=tally().total)
        self._of: dict[int, TaskID] = {}  # the bar of each running job, by its number in the pool

    def __enter__(self) -> Live:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._draw([])
        self._bars.stop()

    def look(self, running: Sequence[Running]) -> None:
        """Draw, unless just drawn."""
        now = self._clock()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._draw(running)

    def _draw(self, running: Sequence[Running]) -> None:
        for index in set(self._of) - {child.index for child in running}:
            self._bars.remove_task(self._of.pop(index))
        tally, steps = self._tally(), list[tuple[int, int]]()
        for child in running:
            bar = self._of.get(child.index)
            if bar is None:
                bar = self._of[child.index] = self._bars.add_task("")
            seen = self._board.read(child.slot)
            steps.append(_made_and_left(seen, tally.own.get(child.index)))
            text = f"{described(seen)}  {self._labels[child.index]}"
            self._bars.update(bar, total=seen.steps or None, completed=seen.step, description=self._fitted(text))
        now = self._clock()
        left = self._remaining.look(now, tally.trained, tally.ahead, steps)
        text = self._fitted(summed_up(tally, now - self._began, left))
        self._bars.update(self._all, completed=tally.done, description=text, refresh=True)

    def _fitted(self, text: str) -> str:
        """Cut a text to the room next to a bar.

        The end of a line stays free: the ``^C`` that a terminal prints there would begin a new line, and the next
        drawing would start one line too low.
        """
        from rich.text import Text

        cut = Text(text)
        cut.truncate(max(self._console.width - BAR - 1 - MARGIN, 1), overflow="ellipsis")
        return cut.plain


def _made_and_left(seen: Progress, own: int | None) -> tuple[int, int]:
    """The steps that a job has made itself, and the steps that it has left.

    >>> _made_and_left(Progress(80, 120, "", 0.0), 70), _made_and_left(Progress(80, 120, "", 0.0), None)
    ((30, 40), (80, 40))
    >>> _made_and_left(Progress(0, 0, "", 0.0), 70)  # no progress yet
    (0, 70)
    >>> _made_and_left(Progress(0, 120, "", 0.0), 70)  # it starts from another run's state
    (0, 70)
    """
    left = max(seen.steps - seen.step, 0)
    if own is None:
        return seen.step, left
    left = min(left, own) if seen.steps else own
    return own - left, left


def summed_up(tally: Tally, elapsed: float, left: float | None) -> str:
    """Summarise all runs in one line.

    >>> summed_up(Tally(4, 1, 12), 41.0, 80.0)
    '4/12 runs  1 failed  0:41  about 1:20 left'
    >>> summed_up(Tally(4, 0, 12), 41.0, None), summed_up(Tally(4, 0, 12, stopping=True), 41.0, 80.0)
    ('4/12 runs  0:41', '4/12 runs  0:41  stopping')
    """
    parts = [f"{tally.done}/{tally.total} runs"]
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    parts.append(span(elapsed))
    if tally.stopping:
        parts.append("stopping")
    elif left is not None:
        parts.append(f"about {span(left)} left")
    return "  ".join(parts)


def described(seen: Progress) -> str:
    """Describe a job's progress.

    >>> described(Progress(40, 120, "val/loss", 0.25, "nats"))
    '40/120  val/loss 0.2500 nats'
    >>> described(Progress(0, 0, "", 0.0))
    'starting'
    """
    if not seen.steps:
        return "starting"
    return f"{seen.step}/{seen.steps}" + (f"  {seen.metric} {shown(seen.unit, seen.value)}" if seen.metric else "")


def told_apart(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Name each job by the overrides that not all jobs have.

    >>> told_apart([["name=a", "seed=0"], ["name=a", "seed=1"]])
    ['seed=0', 'seed=1']
    """
    common = in_common(jobs) if len(jobs) > 1 else ()
    return [" ".join(item for item in overrides if item not in common) for overrides in jobs]
