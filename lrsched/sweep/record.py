"""The record of a sweep, ``sweep.json``: its runs and their cost, rewritten as they end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrsched.console import say
from lrsched.ended import Ended, Why, ended_by, ending_of
from lrsched.errors import NotBegun, UserError
from lrsched.numbers import number
from lrsched.records import write_json
from lrsched.report.folders import own_text

FILE = "sweep.json"

RARELY = 20
"""Writing takes at most 1 / RARELY of a sweep's time."""


@dataclass
class Entry:
    """One run of a sweep: a job of ``sweep.json``, field by field.

    Args:
        run_id: name of its folder.
        overrides: of its job.
        status: None while it waits or runs, then finished, failed, stopped or skipped (an earlier command finished it).
        ended: how the run ended, None if it did not.
        why: why the sweep left it before its end, on purpose.
        reason: the end in words.
        steps_asked: updates it is to have made in the end.
        steps_trained: updates made for it alone, without those of a run it was forked from.
        exit_code: of the error that ended it, else 0; not written.
        repeatable: whether the same command may get further with it; not written.
    """

    run_id: str
    overrides: list[str]
    status: str | None = None
    ended: Ended | None = None
    why: Why | None = None
    reason: str = ""
    steps_asked: int = 0
    steps_trained: int = 0
    exit_code: int = 0
    repeatable: bool = True

    def record_end(self, error: UserError | None, result: Mapping[str, Any] | None = None) -> None:
        """Record how its job ended.

        Args:
            error: that ended it, or None.
            result: of the run, if there was no error.
        """
        self.reopen()
        if error is not None:
            self.ended = ended_by(error)
            self.why = Why.NOT_BEGUN if isinstance(error, NotBegun) else None
            self.status = "stopped" if self.ended is None else self.ended.status
            self.reason, self.exit_code, self.repeatable = str(error), error.exit_code, error.repeatable
        elif (ended := ending_of(result or {}).ended) is Ended.PAUSED:
            self.status, self.ended, self.why = "stopped", ended, Why.PAUSED
            self.reason = str((result or {}).get("reason", ""))
        else:
            self.status, self.ended = "finished", ended or Ended.FINISHED

    def skip(self, result: Mapping[str, Any] | None) -> None:
        """Record that an earlier command finished it, with this result."""
        self.status, self.ended = "skipped", ending_of(result or {}).ended

    def drop(self, reason: str) -> None:
        """Record that the sweep leaves it at its pause for good."""
        self.status, self.why, self.reason = "stopped", Why.DROPPED, reason

    def leave(self, reason: str) -> None:
        """Record that the sweep leaves it at its pause, where it may be resumed."""
        self.status, self.ended, self.why, self.reason = "stopped", Ended.PAUSED, Why.PAUSED, reason

    def reopen(self) -> None:
        """Forget its end, because it continues."""
        self.status = self.ended = self.why = None
        self.reason, self.exit_code, self.repeatable = "", 0, True

    def __str__(self) -> str:
        return f"{self.run_id}: {self.status}" + (f": {self.reason}" if self.reason else "")

    @property
    def is_done(self) -> bool:
        """Whether it reached its end, or the step at which the sweep left it on purpose."""
        return self.status in ("finished", "skipped") or self.why in (Why.DROPPED, Why.PAUSED)


_OURS = ("exit_code", "repeatable")
"""Fields of an entry that are not written."""


class Record:
    """The runs of a sweep and their cost, including those of earlier commands of the same name.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []  # the runs of this command, in order
        self.probes: list[Entry] = []  # probe runs (cooldowns at rungs); their steps count as cost
        self._began = time.monotonic()
        self._again = 0.0
        self._said: tuple[list[dict[str, Any]], int] | None = None  # of the runs and the probes, when it was written
        before = self._written()
        self._seconds = _number(before.get("wall_seconds"))
        if not before and os.path.lexists(folder / FILE):
            why = "is a link, and links are not followed" if (folder / FILE).is_symlink() else "cannot be read"
            say(f"warning: {folder / FILE} {why}: it is written anew, without the jobs of earlier commands")

    @property
    def done(self) -> int:
        """The number of runs that are done."""
        return sum(entry.is_done for entry in self.entries)

    @property
    def failed(self) -> int:
        """The number of runs that failed."""
        return sum(entry.status == "failed" for entry in self.entries)

    def keep_up(self) -> None:
        """Write ``sweep.json``, but seldom: with thousands of runs, writing takes time."""
        now = time.monotonic()
        if now >= self._again:
            self.write()
            self._again = now + RARELY * (time.monotonic() - now)

    def write(self, *, unless_same: bool = False) -> None:
        """Write ``sweep.json`` atomically.

        Args:
            unless_same: not where this command has nothing new to say of its runs.
        """
        jobs = [{name: value for name, value in vars(entry).items() if name not in _OURS} for entry in self.entries]
        trained = sum(entry.steps_trained for entry in self.probes)
        if unless_same and (jobs, trained) == self._said:
            return
        said = (jobs.copy(), trained)
        mine = {entry.run_id for entry in self.entries}
        jobs += [job for job in self._written().get("jobs", ()) if job.get("run_id") not in mine]
        content = {
            "jobs": jobs,
            "steps_asked": sum(_number(job.get("steps_asked")) for job in jobs),
            "steps_trained": sum(_number(job.get("steps_trained")) for job in jobs) + trained,
            "wall_seconds": self._seconds + time.monotonic() - self._began,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / FILE, content)
        self._said = said

    def _written(self) -> dict[str, Any]:
        """The content of the file, empty if it cannot be read; another command may have written it since."""
        try:
            content = json.loads(own_text(self.folder / FILE))
            jobs = content["jobs"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return content if isinstance(jobs, list) and all(isinstance(job, dict) for job in jobs) else {}


def _number(value: Any) -> Any:
    return value if number(value) is not None else 0
