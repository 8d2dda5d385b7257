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
    """Counts the steps made and to make by the jobs of one pool.

    Args:
        sweep: that the jobs belong to.
        tree: how long they are, and who goes on from whom.
        due: the jobs.
        stop: up: no more jobs begin.
    """

    def __init__(self, sweep: Sweep, tree: StageTree, due: Sequence[Valid], stop: StopFlag) -> None:
        self._sweep, self._tree, self._due, self._stop = sweep, tree, due, stop
        self._known = {job.run_id for job in due} <= {member.job.run_id for member in tree.members}
        self._own: dict[int, int] = {}  # steps that each job that has begun was to make
        self._before: dict[int, int] = {}  # and those that its run had made by then

    def begin(self, number: int) -> None:
        """Note that a job begins."""
        one = self._due[number]
        self._before[number] = trained_here(one.folder, one.resumed_at)
        self._own[number] = self._tree.steps_of(one)
        self._tree.begin(one)

    def tally(self) -> Tally:
        """The counts so far."""
        record = self._sweep.record
        ended = [number for number in self._before if self._due[number].entry.status is not None]
        return Tally(
            record.done,
            record.failed,
            len(record.entries),
            trained=sum(self._due[number].entry.trained - self._before[number] for number in ended),
            ahead=self._tree.steps if self._known else None,
            own=self._own,
            stopping=self._stop.number is not None,
        )

    @contextmanager
    def shown(self, board: ProgressBoard) -> Iterator[Callable[[Sequence[Running]], None]]:
        """The function that draws the running jobs."""
        if not self._sweep.config.trainer.progress or not is_interactive(sys.stderr):
            yield lambda running: None
            return
        with Live(board, told_apart([one.overrides for one in self._due]), self.tally) as live:
            yield live.look
