"""Where the rows of a run go: two files, and whoever else listens."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lrsched.loggers.base import Logger, RunInfo
from lrsched.records import Rows, RunFolder, read_rows


class Journal:
    """Writes each row to ``metrics.jsonl`` and the loggers, and what a clock measured to ``timing.jsonl``.

    Args:
        folder: of the run.
        loggers: opened already.
        offset: bytes of ``metrics.jsonl`` that belong to completed steps; the rest is cut off.
        resumed_at: the step that the run goes on from, or None. Loggers have forgotten what they had of
            it; the rows of its evaluation, made before the checkpoint, are handed to them again.
        run: what the loggers were opened with; needed to go back.
    """

    def __init__(
        self,
        folder: RunFolder,
        loggers: Iterable[Logger],
        offset: int = 0,
        resumed_at: int | None = None,
        run: RunInfo | None = None,
    ) -> None:
        self._metrics = Rows(folder.metrics, offset)
        timing = folder.timing.stat().st_size if folder.timing.exists() else 0
        self._timing = Rows(folder.timing, timing)
        self._loggers = tuple(loggers)
        self._path, self._run = folder.metrics, run
        if resumed_at is not None:
            self._tell_again(resumed_at)

    def row(self, row: Mapping[str, Any]) -> None:
        """A deterministic row: two equal runs write equal bytes."""
        self._metrics.write(row)
        self._tell(row)

    def rewind(self, offset: int, step: int) -> None:
        """Go back to a checkpoint: forget the rows after it, and have the loggers forget them.

        Args:
            offset: bytes of ``metrics.jsonl`` that belong to it.
            step: of the checkpoint.
        """
        self._metrics.cut(offset)
        for logger in self._loggers:
            assert self._run is not None
            logger.close({}, "stopped")
            logger.open(replace(self._run, resumed_at=step))
        self._tell_again(step)

    def _tell_again(self, step: int) -> None:
        for row in read_rows(self._path):
            if row["step"] >= step:
                self._tell(row)

    def _tell(self, row: Mapping[str, Any]) -> None:
        for logger in self._loggers:
            logger.write(row)

    def timing(self, event: str, **measured: Any) -> None:
        """A row of ``timing.jsonl``: the event, the time of day, and what was measured."""
        self._timing.write({"event": event, "time": time.time(), **measured})

    def flush(self) -> int:
        """Hand everything to the system; returns the length of ``metrics.jsonl`` in bytes, which are durable."""
        self._timing.flush()
        for logger in self._loggers:
            logger.flush()
        return self._metrics.offset()

    def so_far(self) -> str:
        """All deterministic rows until now, as text."""
        self._metrics.flush()
        return self._path.read_text("utf-8")

    def close(self, metrics: Mapping[str, float], status: str) -> None:
        """End the files, and tell the loggers the final metrics and how the run ended."""
        self._metrics.close()
        self._timing.close()
        for logger in self._loggers:
            logger.close(metrics, status)
