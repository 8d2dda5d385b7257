"""How far the jobs of a pool are: written by each job into memory that it shares with its parent."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from lrsched.loggers.base import Logger, Row, RunInfo

_SLOT = struct.Struct("<qqd32s")  # step, steps, value, name of the metric


@dataclass(frozen=True)
class Progress:
    """A job at work: completed steps of how many, and the last value of the metric that it monitors ("": none yet)."""

    step: int
    steps: int
    metric: str
    value: float


class ProgressBoard:
    """A slot for each job that may run at a time. Make it before the first fork: it is shared from then on."""

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, slots * _SLOT.size)

    def read(self, slot: int) -> Progress:
        """What the job says that sits there. Half-written now and then: it is for the eye alone."""
        step, steps, value, name = _SLOT.unpack_from(self._memory, slot * _SLOT.size)
        return Progress(step, steps, name.rstrip(b"\0").decode("ascii", "replace"), value)

    def slot(self, number: int) -> ProgressSlot:
        """The logger of a job that begins in a slot; what the job before it wrote there is gone."""
        self.write(number, Progress(0, 0, "", 0.0))
        return ProgressSlot(self, number)

    def write(self, slot: int, seen: Progress) -> None:
        """Say how far the job is."""
        name = seen.metric.encode("ascii", "replace")[:32]
        _SLOT.pack_into(self._memory, slot * _SLOT.size, seen.step, seen.steps, seen.value, name)


class ProgressSlot(Logger):
    """Writes the newest row on the board; a row costs about a microsecond."""

    def __init__(self, board: ProgressBoard, number: int) -> None:
        self._board, self._number = board, number

    def open(self, run: RunInfo) -> None:
        self._monitor = str(run.config["checkpoint"]["monitor"])
        self._seen = Progress(run.resumed_at or 0, run.steps, "", 0.0)
        self._board.write(self._number, self._seen)

    def write(self, row: Row) -> None:
        seen = self._seen
        metric, value = (self._monitor, row[self._monitor]) if self._monitor in row else (seen.metric, seen.value)
        self._seen = Progress(int(row["step"]), seen.steps, metric, float(value))
        self._board.write(self._number, self._seen)
