"""Write the rows of a run and what its task shows: to files and to its loggers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lrsched.loggers.base import Logger, RunInfo
from lrsched.loggers.terminal import is_evaluation
from lrsched.records import Rows, RunFolder, read_metrics, write_atomically


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
        self._path, self._shown, self._run = folder.metrics, folder.shown, run
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

    def show(self, step: int, found: Mapping[str, bytes | str]) -> None:
        """Write pictures and texts of an evaluation into the run folder, as ``shown/STEP-NAME.png`` or ``.txt``."""
        for name, content in found.items():
            self._shown.mkdir(exist_ok=True)
            kind, data = (".txt", content.encode()) if isinstance(content, str) else (".png", content)
            write_atomically(self._shown / f"{step:010d}-{name}{kind}", data)
            self._hand_shown(step, name, content)

    def _repeat_from(self, step: int) -> None:
        """Hand out the rows from a step on, and what was shown there; delete what was shown later."""
        rows = [row for row in read_metrics(self._path) if row["step"] >= step]
        for row in rows:
            self._hand_out(row)
        kept = max((row["step"] for row in rows if is_evaluation(row)), default=step - 1)  # else it is shown again
        for file in sorted(self._shown.glob("*-*.*")):
            number, _, name = file.stem.partition("-")
            if not number.isdigit() or int(number) < step:
                continue
            if int(number) > kept:
                file.unlink()
            else:
                self._hand_shown(
                    int(number), name, file.read_text("utf-8") if file.suffix == ".txt" else file.read_bytes()
                )

    def _hand_shown(self, step: int, name: str, content: bytes | str) -> None:
        for logger in self._loggers:
            logger.show(step, name, content)

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

    def saved(self, step: int) -> None:
        """Tell the loggers that a checkpoint at this step is on disk."""
        for logger in self._loggers:
            logger.saved(step)

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
