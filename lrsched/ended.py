"""How a run ended (``ended`` in ``result.json``, ``sweep.json``), why a sweep left it (``why`` in ``sweep.json``)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from lrsched.errors import Abandoned, NotBegun, NotFinite, Stopped


class Ended(StrEnum):
    """How a run ended."""

    FINISHED = "finished"  # all steps are done
    EARLY = "early"  # finished before its last step: the monitored metric stopped improving
    PAUSED = "paused"  # left at ``sweep.until``, to be resumed or not
    SIGNAL = "signal"  # stopped by a signal
    DIVERGED = "diverged"  # a loss, gradient, metric, weight or optimizer state is not finite (NotFinite)
    ERROR = "error"  # anything else went wrong

    @property
    def status(self) -> str:
        """The word for it in the field ``status``: finished, stopped or failed."""
        if self in (Ended.FINISHED, Ended.EARLY):
            return "finished"
        return "stopped" if self in (Ended.PAUSED, Ended.SIGNAL) else "failed"


class Why(StrEnum):
    """Why a sweep left a run before its end, on purpose."""

    DROPPED = "dropped"  # successive halving ranked it too low
    NOT_BEGUN = "not_begun"  # the sweep ended before its turn
    PAUSED = "paused"  # it reached ``sweep.until``


class Ending(NamedTuple):
    """What the two fields say; None: nothing."""

    ended: Ended | None
    why: Why | None = None


def ended_by(error: BaseException) -> Ended | None:
    """How a run ended that raised an error; None if the run did not end: nobody began it, or it goes on elsewhere."""
    if isinstance(error, (NotBegun, Abandoned)):
        return None
    if isinstance(error, Stopped):
        return Ended.SIGNAL
    return Ended.DIVERGED if isinstance(error, NotFinite) else Ended.ERROR


def ending_of(record: Mapping[str, Any]) -> Ending:
    """How the run ended that a ``result.json``, or a job of a ``sweep.json``, speaks of; a stranger's word is None.

    >>> ending_of({"status": "stopped", "ended": "paused", "why": "dropped"})
    Ending(ended=<Ended.PAUSED: 'paused'>, why=<Why.DROPPED: 'dropped'>)
    >>> ending_of({"status": "failed", "reason": "NotFinite: step 3: the training loss is nan"}).ended
    <Ended.DIVERGED: 'diverged'>
    """
    if "ended" not in record:
        return _of_0_1_0(str(record.get("status")), str(record.get("reason") or ""))
    ended, why = record["ended"], record.get("why")
    return Ending(Ended(ended) if ended in list(Ended) else None, Why(why) if why in list(Why) else None)


def _of_0_1_0(status: str, reason: str) -> Ending:
    """The fields of a file that version 0.1.0 wrote, by the words it used: it had no such fields."""
    if status == "finished":
        return Ending(Ended.EARLY if reason.startswith("early stop:") else Ended.FINISHED)
    if status == "failed":
        return Ending(Ended.DIVERGED if reason.startswith("NotFinite") else Ended.ERROR)
    if status != "stopped" or reason.startswith("left "):
        return Ending(None)
    if reason.startswith("was not begun"):
        return Ending(None, Why.NOT_BEGUN)
    if reason.startswith("ranked "):
        return Ending(Ended.PAUSED, Why.DROPPED)
    return Ending(Ended.PAUSED, Why.PAUSED) if reason.startswith("paused ") else Ending(Ended.SIGNAL)
