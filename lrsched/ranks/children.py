"""Start the other processes of a run on this machine, and know how each of them ended. Imports no torch."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from lrsched.errors import ConfigError
from lrsched.ranks.place import KEY, ONLY, Place, given_place, require_same

FOLLOWER = "lrsched.runs.together"
"""The module that a started process runs."""

FAREWELL = 5.0
"""Seconds that a process has to end by itself once the run has."""

LAST = 4000
"""Bytes of what a process printed that are shown of one which ended by itself."""


class Children:
    """Processes of a run, started by rank 0: they import what they need, and wait to be told where to go.

    Each reads its standard input, where it is told: an end of that is an end of this process. Its errors go into a file
    of no name, which is looked at where it ended badly.

    Args:
        size: processes of the run, this one counted.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._printed: list[IO[bytes]] = []
        self._started: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(1, size):
                self._printed.append(tempfile.TemporaryFile())  # noqa: SIM115  (until the end of the run)
                self._started.append(_start(rank, size, self._printed[-1]))
        except BaseException:
            self.end(0.0)
            raise

    def tell(self, words: Mapping[str, Any]) -> None:
        """Tell all of them the same, once."""
        line = f"{json.dumps(words)}\n".encode()
        for child in self._started:
            assert child.stdin is not None
            with suppress(OSError):  # it has ended: the line to it will say so
                child.stdin.write(line)
                child.stdin.flush()

    def pid(self, rank: int) -> int:
        """The process of a rank."""
        return self._started[rank - 1].pid

    def how(self, rank: int, wait: float = 0.0) -> str | None:
        """How the process of a rank has ended, as ``was killed by SIGKILL``; None: it has not.

        Args:
            rank: from 1.
            wait: seconds to give it; its connections close before it has ended.
        """
        child = self._started[rank - 1]
        with suppress(subprocess.TimeoutExpired):
            child.wait(wait)
        code = child.poll()
        if code is None:
            return None
        return f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"

    def printed(self, rank: int) -> str:
        """The last lines that the process of a rank printed."""
        file = self._printed[rank - 1]
        end = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), LAST, max(0, end - LAST)).decode(errors="replace").strip()

    def end(self, patience: float) -> None:
        """Wait until all have ended; kill those that have not by then, a stopped one too.

        Args:
            patience: seconds.
        """
        for child in self._started:
            if child.stdin is not None:
                with suppress(OSError):
                    child.stdin.close()
        until = time.monotonic() + patience
        for child in self._started:
            try:
                child.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for file in self._printed:
            file.close()


@contextmanager
def placed(processes: int, objects: Collection[str]) -> Generator[Place]:
    """The place of this process in its run, whose other processes it starts where nobody else has; then it is rank 0.

    Args:
        processes: of the config.
        objects: given in Python, by the keys that they stand in for.

    Raises:
        ConfigError: the processes cannot be as many, or cannot be given these objects.
    """
    given = given_place()
    require_same(given, processes)
    size = processes if given is None else given.size
    if size > 1 and objects:
        rule = f"cannot be given objects of Python, as this run is in the place of {', '.join(sorted(objects))}"
        raise ConfigError(KEY, size, rule, f"name a class of a module of yours in the config, or give {KEY}=1")
    if given is not None or size == 1:
        yield given or ONLY
        return
    started, well = Children(size), False
    try:
        yield Place(size=size, beside=size, children=started)
        well = True
    finally:
        started.end(FAREWELL if well else 0.3)


def leave_with(parent: int) -> None:
    """Let the system end this process with its parent, where it can.

    Args:
        parent: the process that must be there.
    """
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _start(rank: int, size: int, printed: IO[bytes]) -> subprocess.Popen[bytes]:
    stands = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", FOLLOWER, str(os.getpid())],
        env={**os.environ, **{name: str(number) for name, number in stands.items()}, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=printed,
    )


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
