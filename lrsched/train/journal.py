"""Write the rows of a run: to two files and to its loggers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lrsched.loggers.base import Logger, RunInfo
from lrsched.records import Rows, RunFolder, read_rows


class Journal:
    """Writes each row to ``metrics.jsonl`` and the loggers, and measured times to ``timing.jsonl``.

    Args:
        folder: of the run.
        loggers: open already.
        offset: bytes of ``metrics.jsonl`` that belong to completed steps; cuts off the rest.
        resumed_at: the step that the run goes on from, or None. Loggers have dropped its rows; the
            journal repeats those of its evaluation, which was made before the checkpoint.
        run: what the loggers were opened with; needed by :meth:`rewind`.
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
            self._repeat_from(resumed_at)

    def row(self, row: Mapping[str, Any]) -> None:
        """Write a deterministic row: two equal runs write equal bytes."""
        self._metrics.write(row)
        self._hand_out(row)

    def rewind(self, offset: int, step: int) -> None:
        """Go back to a checkpoint: drop the rows after it, here and in the loggers.

        Args:
            offset: bytes of ``metrics.jsonl`` that belong to it.
            step: of the checkpoint.
        """
        self._metrics.cut(offset)
        for logger in self._loggers:
            assert self._run is not None
            logger.close({}, "stopped")
            logger.open(replace(self._run, resumed_at=step))
        self._repeat_from(step)

    def _repeat_from(self, step: int) -> None:
        for row in read_rows(self._path):
            if row["step"] >= step:
                self._hand_out(row)

    def _hand_out(self, row: Mapping[str, Any]) -> None:
        for logger in self._loggers:
            logger.write(row)

    def timing(self, event: str, **measured: Any) -> None:
        """Write a row of ``timing.jsonl``: the event, the time of day, and what was measured."""
        self._timing.write({"event": event, "time": time.time(), **measured})

    def flush(self) -> int:
        """Hand everything to the system; return the length of ``metrics.jsonl`` in bytes, all durable."""
        self._timing.flush()
        for logger in self._loggers:
            logger.flush()
        return self._metrics.offset()

    def so_far(self) -> str:
        """All deterministic rows so far, as text."""
        self._metrics.flush()
        return self._path.read_text("utf-8")

    def close(self, metrics: Mapping[str, float], status: str) -> None:
        """Close the files, and the loggers with the final metrics and status."""
        self._metrics.close()
        self._timing.close()
        for logger in self._loggers:
            logger.close(metrics, status)
