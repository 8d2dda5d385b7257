"""Run jobs one after another in this process, which may hold what no fork may inherit: threads, a GPU, a notebook."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout

from lrsched.errors import storage
from lrsched.signals import StopFlag
from lrsched.sweep.processes import End, Running, Work


class InTurn:
    """Runs one job at a time, each as its process would in a :class:`~lrsched.sweep.processes.Pool`.

    Args:
        fail_fast: start no more jobs after one failed.
    """

    slots = 1

    def __init__(self, *, fail_fast: bool = False) -> None:
        self._fail_fast = fail_fast

    def run(
        self,
        jobs: Sequence[Work],
        stop: StopFlag,
        ended: Callable[[int, End], bool],
        look: Callable[[Sequence[Running]], None],
        choose: Callable[[Sequence[int]], int | None],
    ) -> None:
        """Run all jobs; once the flag is up, the one that runs ends, and no more begin.

        Args:
            jobs: to run.
            stop: patient; a run looks at it where it is at rest.
            ended: called with the number and the end of each job; returns whether it ended well.
            look: called before each job.
            choose: picks the waiting job to start next.
        """
        waiting = list(range(len(jobs)))
        while stop.number is None and waiting and (index := choose(waiting)) is not None:
            waiting.remove(index)
            look([])
            began = time.monotonic()
            with stop.unfinished():
                code = _code_of(jobs[index])
            if not ended(index, End(code, time.monotonic() - began)) and self._fail_fast:
                return


def _code_of(job: Work) -> int:
    """Run a job, which prints to its file; its exit code."""
    with storage(f"{job.output} cannot be written"):
        job.output.parent.mkdir(parents=True, exist_ok=True)
        output = job.output.open("w", encoding="utf-8", errors="backslashreplace", buffering=1)
    with output, redirect_stdout(output), redirect_stderr(output):
        try:
            return job.run(0)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            return 1
