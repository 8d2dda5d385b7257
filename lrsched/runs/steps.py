"""How many updates a run has made, counted by what it left behind: the same under every launcher."""

from __future__ import annotations

from contextlib import suppress

from lrsched.checkpoint.places import survey
from lrsched.records import RunFolder, read_rows

FORK = "fork"
"""The event in ``timing.jsonl`` with which a run begins that goes on from a state of another one."""


def stands_at(folder: RunFolder) -> int:
    """The step that a run would be resumed from."""
    with suppress(OSError):  # the run itself will say what is wrong
        return max((checkpoint.step for checkpoint in survey(folder.checkpoints) if not checkpoint.damaged), default=0)
    return 0


def made_since(folder: RunFolder, before: int = 0) -> int:
    """The updates that a run made itself after it stood at step ``before``; not those that another made for it."""
    result = folder.read_result() or {}
    step = result.get("step")
    ended = step if isinstance(step, int) else 0
    now = ended if result.get("status") == "finished" else max(ended, stands_at(folder))
    return max(0, now - max(before, forked_at(folder) or 0))


def forked_at(folder: RunFolder) -> int | None:
    """The step at which a run went on from a state of another one, or None."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        first = next(read_rows(folder.timing), {})
        return int(first["step"]) if first["event"] == FORK else None
    return None
