"""Follow a file of rows that is being written: read what came since, and keep a bounded number of points of it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lrsched.errors import CheckpointError
from lrsched.numbers import number
from lrsched.page.curves import Curve
from lrsched.records import as_row

CHUNK = 1 << 20
"""Bytes that are read at once."""

TAIL = 64
"""Bytes before the place of reading that are compared: a run that is resumed cuts its rows back, and writes others."""


class Series:
    """One metric over the steps, with no more than twice ``most`` points: then every second one is dropped.

    The last point is always kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._steps, self._values = array("d"), array("d")
        self._seen, self._stride = 0, 1
        self._last: tuple[float, float] | None = None

    def add(self, step: float, value: float) -> None:
        """Take one more point; one of the same step as the last one takes its place."""
        if self._last is not None and self._last[0] == step:
            self._seen -= 1
            if len(self._steps) and self._steps[-1] == step:
                self._steps.pop()
                self._values.pop()
        self._last = (step, value)
        if self._seen % self._stride == 0:
            self._steps.append(step)
            self._values.append(value)
        self._seen += 1
        if len(self._steps) > 2 * self.most:
            self._steps, self._values = self._steps[::2], self._values[::2]
            self._stride *= 2

    def curve(self) -> Curve | None:
        """What is kept, as far as it is finite; None if nothing is."""
        steps, values = np.array(self._steps), np.array(self._values)
        if self._last is not None and (not len(steps) or steps[-1] != self._last[0]):
            steps, values = np.append(steps, self._last[0]), np.append(values, self._last[1])
        there = np.isfinite(steps) & np.isfinite(values)
        return Curve(steps[there], values[there]) if there.any() else None

    @property
    def last(self) -> float | None:
        return None if self._last is None else self._last[1]


class Followed:
    """The rows of one run, read as they come.

    Args:
        path: of its ``metrics.jsonl``, which need not be there yet.
        most: points to keep of each metric, about.
    """

    def __init__(self, path: Path, most: int) -> None:
        self.path, self.most = path, most
        self._forget()

    def _forget(self) -> None:
        self.series: dict[str, Series] = {}
        self.step: int | None = None
        self._place, self._tail, self._inode = 0, b"", 0
        self._damaged = False

    def update(self) -> bool:
        """Read what was written since; return whether anything changed."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            there = bool(self.series)
            self._forget()
            return there
        with open(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            changed = self._is_another(state, file)
            if changed:
                self._forget()
            self._inode = state.st_ino
            if self._damaged or state.st_size == self._place:
                return changed
            return self._read(file) or changed

    def _is_another(self, state: os.stat_result, file: Any) -> bool:
        """Whether what was read is no longer in the file: it is a new one, or was cut back and written anew."""
        if not self._place:
            return False
        if state.st_ino != self._inode or state.st_size < self._place:
            return True
        if state.st_size == self._place:  # nothing was written; what was replaced has grown by the next look
            return False
        file.seek(self._place - len(self._tail))
        return file.read(len(self._tail)) != self._tail

    def _read(self, file: Any) -> bool:
        """Take the whole lines behind the place; a last one that is half-written waits."""
        before, rest = self._place, b""
        file.seek(self._place)
        while not self._damaged and (chunk := file.read(CHUNK)):
            rest += chunk
            end = rest.rfind(b"\n") + 1
            for line in rest[:end].splitlines():
                self._take(line)
            self._tail = (self._tail + rest[:end])[-TAIL:]
            self._place += end
            rest = rest[end:]
        return self._place > before

    def _take(self, line: bytes) -> None:
        """Take a row; as in a report, rows end at the first that is damaged."""
        if self._damaged:
            return
        try:
            row = as_row(line)
        except CheckpointError:
            self._damaged = True
            return
        self.step = row["step"]
        for name, item in row.items():
            if "/" in name and (value := number(item)) is not None:
                self.series.setdefault(name, Series(self.most)).add(row["step"], value)

    def curves(self, names: Iterable[str]) -> dict[str, Curve]:
        """Some metrics, by name; those that there are."""
        found = {name: self.series[name].curve() for name in names if name in self.series}
        return {name: curve for name, curve in found.items() if curve is not None}

    def latest(self) -> dict[str, float]:
        """The last value of each metric of an evaluation."""
        return {n: one.last for n, one in self.series.items() if n.startswith("val/") and one.last is not None}
