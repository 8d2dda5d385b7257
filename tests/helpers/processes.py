"""A run on several processes, in processes of its own, whose ranks can be found and sent signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.cli import TINY
from tests.helpers.runs import Ended, folder

WORDS = (*TINY, "name=run", "trainer.log_every=1st", "logger=[]")
LONGEST = 600.0
"""Seconds after which a run counts as hanging."""


@dataclass
class Started:
    """``lrsched train`` in a folder.

    Args:
        place: the folder.
        process: that was started: rank 0.
    """

    place: Path
    process: subprocess.Popen[str]

    @classmethod
    def of(cls, place: Path, *words: str, **variables: str) -> Started:
        """Start it, with these words and variables of the environment."""
        place.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "lrsched", "train", *words]
        environment = {**os.environ, **variables}
        pipe = subprocess.PIPE
        return cls(place, subprocess.Popen(command, cwd=place, env=environment, stderr=pipe, stdout=pipe, text=True))

    def wait_for(self, rows: int) -> bool:
        """Wait until it has written so many rows; False: it has ended before."""
        metrics = folder(self.place).metrics
        until = time.monotonic() + LONGEST
        while self.process.poll() is None:
            with suppress(FileNotFoundError):
                if metrics.read_bytes().count(b"\n") >= rows:
                    return True
            assert time.monotonic() < until, "the run hung"
            time.sleep(0.002)
        return False

    def ranks(self) -> list[int]:
        """Its processes, by rank."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text("ascii").split()
        return [own, *sorted((int(child) for child in children), key=_rank)]

    def end(self) -> Ended:
        """Wait for its end."""
        try:
            _, said = self.process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return Ended(self.process.returncode, said)


def are_gone(pids: list[int], within: float) -> bool:
    """Whether processes have ended, if not yet then within so many seconds; a zombie has."""
    until = time.monotonic() + within
    while any(map(_goes_on, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if it is there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _rank(pid: int) -> int:
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((int(word[5:]) for word in words if word.startswith(b"RANK=")), -1)


def _goes_on(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
