"""Run jobs side by side, each in a process forked from this one.

All jobs share what is imported and loaded before :meth:`Pool.run`, page by page, until one writes to it: torch
is imported once and a data set lies in memory once. Whatever ends a job (an exception, ``sys.exit``, a signal, no
memory, a hang) ends that job only.

This process must be single-threaded when it forks: a lock held by another thread would stay held in the child.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrsched.imports import set_apart
from lrsched.signals import StopFlag

POLL = 0.01
"""Seconds between two polls of the jobs: far less than a job takes, far more than a poll costs."""

GRACE = 30.0
"""Seconds that a job has to save and exit after a request to stop; then it is killed."""

WHERE = signal.SIGQUIT
"""The signal that makes a job print its stack: the only trace of a job that hangs."""


@dataclass(frozen=True)
class Work:
    """A process to start.

    Args:
        run: what the child does, given the number of its slot; returns its exit code.
        output: the file that it prints to.
        seats: slots that it takes, from that number on: a process each.
    """

    run: Callable[[int], int]
    output: Path
    seats: int = 1


@dataclass(frozen=True)
class End:
    """How a job's process ended: its exit code, negative if a signal ended it; ``timed_out`` if the pool did."""

    code: int
    seconds: float
    timed_out: bool = False

    @property
    def words(self) -> str:
        """The end in words."""
        if self.timed_out:
            return f"timed out after {self.seconds:.0f} s"
        if self.code < 0:
            name = signal.Signals(-self.code).name
            hint = ": the system ended it, most often for want of memory" if name == "SIGKILL" else ""
            return f"killed by {name}{hint}"
        return f"ended with exit code {self.code}"


@dataclass
class Running:
    """A running job: its process, its number among the jobs and its first slot."""

    pid: int
    index: int
    slot: int
    since: float
    asked: float | None = None  # when the pool asked it to stop
    timed_out: bool = False
    seats: int = 1


class Pool:
    """Runs as many jobs at a time as have room in its slots; one that needs more of them than there are runs alone.

    Args:
        slots: processes of jobs at a time.
        timeout: seconds that a job may take, or None.
        fail_fast: start no more jobs after one failed.
    """

    def __init__(self, slots: int, *, timeout: float | None = None, fail_fast: bool = False) -> None:
        self.slots, self._timeout, self._fail_fast = slots, timeout, fail_fast

    @set_apart()
    def run(
        self,
        jobs: Sequence[Work],
        stop: StopFlag,
        ended: Callable[[int, End], bool],
        look: Callable[[Sequence[Running]], None] = lambda running: None,
        choose: Callable[[Sequence[int]], int | None] = lambda waiting: waiting[0],
    ) -> None:
        """Run all jobs; once the flag is up, pass the signal on to the running jobs and start no more.

        Args:
            jobs: the processes to start.
            stop: patient; checked at each poll.
            ended: called with the number and the end of each job as it ends; returns whether it ended well.
            look: called with the running jobs at each poll, to show them.
            choose: picks the waiting job to start next; None: none can start yet.
        """
        waiting, running = list(range(len(jobs))), list[Running]()
        free = set(range(self.slots))
        while waiting or running:
            if stop.number is not None:
                waiting.clear()
                self._ask(running, stop.number)
            while free and waiting and (index := choose(waiting)) is not None:
                seats = min(jobs[index].seats, self.slots)
                slot = next((slot for slot in sorted(free) if free.issuperset(range(slot, slot + seats))), None)
                if slot is None:
                    break  # it waits for room, and those behind it wait for it
                waiting.remove(index)
                free -= {*range(slot, slot + seats)}
                pid = self._start(jobs[index], slot)
                running.append(Running(pid, index, slot, time.monotonic(), seats=seats))
            before = len(running)
            for child in list(running):
                end = self._watch(child)
                if end is not None:
                    running.remove(child)
                    free |= {*range(child.slot, child.slot + child.seats)}
                    if not ended(child.index, end) and self._fail_fast:
                        waiting.clear()
            look(running)
            if len(running) == before:  # else there is room at once for another one
                time.sleep(POLL)

    def _start(self, job: Work, slot: int) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            _leave_with(parent)
            _print_to(job.output)
            faulthandler.enable()  # a crash in compiled code leaves no traceback otherwise
            faulthandler.register(WHERE)
            code = job.run(slot)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # skips the parent's clean-up

    def _watch(self, child: Running) -> End | None:
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        took = time.monotonic() - child.since
        if pid:
            return End(os.waitstatus_to_exitcode(status), took, child.timed_out)
        if self._timeout is not None and took > self._timeout and child.asked is None:
            child.timed_out = True
            os.kill(child.pid, WHERE)
            self._ask([child], signal.SIGTERM)
        if child.asked is not None and time.monotonic() - child.asked > GRACE:
            os.kill(child.pid, signal.SIGKILL)
        return None

    def _ask(self, children: list[Running], number: int) -> None:
        for child in children:
            if child.asked is None:
                child.asked = time.monotonic()
                os.kill(child.pid, number)


def cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _leave_with(parent: int) -> None:
    """Let the system stop this process when its parent dies, so that no sweep leaves jobs behind. Linux only."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)
    if os.getppid() != parent:  # it has died already
        os._exit(128 + signal.SIGTERM)


def _print_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
