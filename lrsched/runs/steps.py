"""Count a run's updates from its files: the same count under every launcher."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lrsched.checkpoint.places import survey
from lrsched.numbers import whole
from lrsched.records import RunFolder, read_rows

FORK = "fork"
"""The first event in ``timing.jsonl`` of a run that starts from another run's state."""


def stands_at(folder: RunFolder) -> int:
    """The step from which a run would resume."""
    with suppress(OSError):  # the run will report it when it resumes
        return max((checkpoint.step for checkpoint in survey(folder.checkpoints) if not checkpoint.damaged), default=0)
    return 0


def trained_here(folder: RunFolder, before: int = 0, result: Mapping[str, Any] | None = None) -> int:
    """The updates that a run made after step ``before``, without those that it took over from another run.

    Args:
        folder: of the run.
        before: the step.
        result: of the run, where it was read already.
    """
    result = result or folder.read_result() or {}
    ended = whole(result.get("step")) or 0
    now = ended if result.get("status") == "finished" else max(ended, stands_at(folder))
    return max(0, now - max(before, forked_at(folder) or 0))


def forked_at(folder: RunFolder) -> int | None:
    """The step of the other run's state that a run started from, or None."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        first = next(read_rows(folder.timing), {})
        return whole(first["step"]) if first["event"] == FORK else None
    return None
