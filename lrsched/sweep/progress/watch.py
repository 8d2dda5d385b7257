"""Show a running sweep, if stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lrsched.console import is_interactive
from lrsched.loggers.slots import ProgressBoard
from lrsched.runs.steps import trained_here
from lrsched.signals import StopFlag
from lrsched.sweep.processes import Running
from lrsched.sweep.progress.live import Live, Tally, told_apart
from lrsched.sweep.sweep import Sweep, Valid

if TYPE_CHECKING:
    from lrsched.sweep.stages.tree import StageTree


class Watch:
    """Chooses the jobs of one pool, and counts their steps.

    Args:
        sweep: of the jobs.
        tree: the stage tree of their runs.
        due: the jobs.
        stop: no more jobs begin once it is up.
    """

    def __init__(self, sweep: Sweep, tree: StageTree, due: Sequence[Valid], stop: StopFlag) -> None:
        self._sweep, self._tree, self._due, self._stop = sweep, tree, due, stop
        self._known = {job.run_id for job in due} <= {member.job.run_id for member in tree.members}
        self._own: dict[int, int] = {}  # steps that each job had to make when it began
        self._before: dict[int, int] = {}  # steps that its run had made by then

    def choose(self, waiting: Sequence[int]) -> int | None:
        """The job to begin next, which begins now; None if none can."""
        number = self._tree.choose(self._due, waiting)
        if number is not None:
            job = self._due[number]
            self._before[number] = trained_here(job.folder, job.resumed_at)
            self._own[number] = self._tree.begin(job)
        return number

    def tally(self) -> Tally:
        """The counts so far."""
        record, jobs = self._sweep.record, [(self._due[number], before) for number, before in self._before.items()]
        return Tally(
            record.done,
            record.failed,
            len(record.entries),
            trained=sum(job.entry.steps_trained - before for job, before in jobs if job.entry.status is not None),
            ahead=self._tree.steps if self._known else None,
            own=self._own,
            stopping=self._stop.number is not None,
        )

    @contextmanager
    def shown(self, board: ProgressBoard) -> Iterator[Callable[[Sequence[Running]], None]]:
        """Give the function that draws the running jobs, if stderr is a terminal."""
        if not self._sweep.config.trainer.progress or not is_interactive(sys.stderr):
            yield lambda running: None
            return
        with Live(board, told_apart([job.overrides for job in self._due]), self.tally) as live:
            yield live.look
