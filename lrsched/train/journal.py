"""Where the rows of a run go: two files, and whoever else listens."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from lrsched.loggers.base import Logger
from lrsched.records import Rows, RunFolder, read_rows


class Journal:
    """Writes each row to ``metrics.jsonl`` and the loggers, and what a clock measured to ``timing.jsonl``.

    Args:
        folder: of the run.
        loggers: opened already.
        offset: bytes of ``metrics.jsonl`` that belong to completed steps; the rest is cut off.
        resumed_at: the step that the run goes on from, or None. Loggers have forgotten what they had of
            it; the rows of its evaluation, made before the checkpoint, are handed to them again.
    """

    def __init__(
        self, folder: RunFolder, loggers: Iterable[Logger], offset: int = 0, resumed_at: int | None = None
    ) -> None:
        self._metrics = Rows(folder.metrics, offset)
        timing = folder.timing.stat().st_size if folder.timing.exists() else 0
        self._timing = Rows(folder.timing, timing)
        self._loggers = tuple(loggers)
        for row in read_rows(folder.metrics) if resumed_at is not None else ():
            if row["step"] >= resumed_at:
                self._tell(row)

    def row(self, row: Mapping[str, Any]) -> None:
        """A deterministic row: two equal runs write equal bytes."""
        self._metrics.write(row)
        self._tell(row)

    def _tell(self, row: Mapping[str, Any]) -> None:
        for logger in self._loggers:
            logger.write(row)

    def timing(self, event: str, **measured: Any) -> None:
        """A row of ``timing.jsonl``: the event, the time of day, and what was measured."""
        self._timing.write({"event": event, "time": time.time(), **measured})

    def flush(self) -> int:
        """Hand everything to the system, the rows to the disk; returns the length of ``metrics.jsonl`` in bytes."""
        self._timing.flush()
        for logger in self._loggers:
            logger.flush()
        return self._metrics.offset()

    def close(self, metrics: Mapping[str, float], status: str) -> None:
        """End the files, and tell the loggers the final metrics and how the run ended."""
        self._metrics.close()
        self._timing.close()
        for logger in self._loggers:
            logger.close(metrics, status)
