"""What a sweep leaves behind besides its runs: ``sweep.json``, written anew as they end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lrsched.errors import Stopped, UserError
from lrsched.records import write_json

RARELY = 20
"""Writing takes at most one part in so many of a sweep's time."""


@dataclass
class Entry:
    """One run of a sweep. ``status`` is None while it waits or runs, then finished, failed, stopped or skipped.

    Skipped: the run was finished before, by an earlier sweep of the same name. ``asked``: updates that it is to have
    made in the end; ``trained``: those that this sweep made for it, and that no other run had made.
    """

    run_id: str
    overrides: list[str]
    status: str | None = None
    reason: str = ""
    exit_code: int = 0
    asked: int = 0
    trained: int = 0

    def close(self, error: UserError | None, left: str = "") -> None:
        """Note how it ended; ``left``: why it was left before its end, on purpose."""
        if error is None:
            self.status, self.reason, self.exit_code = ("stopped", left, 0) if left else ("finished", "", 0)
        else:
            self.status = "stopped" if isinstance(error, Stopped) else "failed"
            self.reason, self.exit_code = str(error), error.exit_code

    def __str__(self) -> str:
        return f"{self.run_id}: {self.status}" + (f": {self.reason}" if self.reason else "")

    @property
    def is_done(self) -> bool:
        """Whether it came as far as it was to come: to its end, or to where it was left on purpose."""
        return self.status in ("finished", "skipped") or (self.status == "stopped" and self.exit_code == 0)


@dataclass
class Record:
    """The runs of a sweep and what they cost.

    Args:
        folder: of the sweep.
        entries: its runs, in the order of the sweep.
        besides: runs that are made to learn something of those, and cost steps too.
        began: on a clock that never runs backwards.
    """

    folder: Path
    entries: list[Entry] = field(default_factory=list)
    besides: list[Entry] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _again: float = 0.0

    @property
    def done(self) -> int:
        """Runs that came as far as they were to come."""
        return sum(entry.is_done for entry in self.entries)

    @property
    def failed(self) -> int:
        """Runs that did not, and were not stopped."""
        return sum(entry.status == "failed" for entry in self.entries)

    @property
    def trained(self) -> int:
        """Updates that were made for all runs that have ended."""
        return sum(entry.trained for entry in [*self.entries, *self.besides])

    def keep_up(self) -> None:
        """Write ``sweep.json`` now and then: in a sweep of thousands, writing it is no longer done in no time."""
        now = time.monotonic()
        if now >= self._again:
            self.write()
            self._again = now + RARELY * (time.monotonic() - now)

    def write(self) -> None:
        """Write ``sweep.json`` atomically."""
        content = {
            "jobs": [
                {"run_id": e.run_id, "overrides": e.overrides, "status": e.status, "reason": e.reason}
                for e in self.entries
            ],
            "steps_asked": sum(entry.asked for entry in self.entries),
            "steps_trained": self.trained,
            "wall_seconds": time.monotonic() - self.began,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "sweep.json", content)
