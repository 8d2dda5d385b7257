"""Progress of a pool's jobs: each writes its newest row into memory shared with the parent."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from lrsched.loggers.base import Logger, Row, RunInfo
from lrsched.units import unit_of

_SLOT = struct.Struct("<qqd32s16s")  # step, steps, value, name and unit of the metric


@dataclass(frozen=True)
class Progress:
    """A running job: completed steps, all steps, and the newest value of the monitored metric ("": none yet)."""

    step: int
    steps: int
    metric: str
    value: float
    unit: str = ""


class ProgressBoard:
    """A slot for each job that may run at a time. Make it before the first fork: children share it from then on."""

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, slots * _SLOT.size)

    def read(self, slot: int) -> Progress:
        """The progress of the job in this slot; may be half-written, so show it and compute nothing from it."""
        step, steps, value, *words = _SLOT.unpack_from(self._memory, slot * _SLOT.size)
        name, unit = (word.rstrip(b"\0").decode("utf-8", "replace") for word in words)
        return Progress(step, steps, name, value, unit)

    def slot(self, number: int) -> ProgressSlot:
        """Clear a slot and return the logger of the job that takes it."""
        self.write(number, Progress(0, 0, "", 0.0))
        return ProgressSlot(self, number)

    def write(self, slot: int, seen: Progress) -> None:
        """Show the job's progress."""
        name, unit = seen.metric.encode()[:32], seen.unit.encode()[:16]
        _SLOT.pack_into(self._memory, slot * _SLOT.size, seen.step, seen.steps, seen.value, name, unit)


class ProgressSlot(Logger):
    """Writes the newest row to its slot of the board, in about a microsecond."""

    def __init__(self, board: ProgressBoard, number: int) -> None:
        self._board, self._number = board, number

    def open(self, run: RunInfo) -> None:
        self._monitor = str(run.config["checkpoint"]["monitor"])
        self._seen = Progress(run.resumed_at or 0, run.steps, "", 0.0, unit_of(self._monitor, run.units))
        self._board.write(self._number, self._seen)

    def write(self, row: Row) -> None:
        seen = self._seen
        metric, value = (self._monitor, row[self._monitor]) if self._monitor in row else (seen.metric, seen.value)
        self._seen = Progress(int(row["step"]), seen.steps, metric, float(value), seen.unit)
        self._board.write(self._number, self._seen)
