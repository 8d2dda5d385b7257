"""Estimate the time that parallel jobs still need, from the steps made so far."""

from __future__ import annotations

from collections.abc import Sequence

BASE_SECONDS = 3.0
"""No estimate before: the first steps are slower than the others."""


class Remaining:
    """A running estimate.

    Args:
        now: when the jobs began, on a clock that never runs backwards.
    """

    def __init__(self, now: float) -> None:
        self._began = self._looked = now
        self._busy = 0.0  # seconds of all jobs together

    def look(self, now: float, trained: int, ahead: int | None, running: Sequence[tuple[int, int]]) -> float | None:
        """Seconds until all jobs are done, or None if unknown.

        All jobs together go on as fast as they did; and none is done before its own steps are made, at the
        speed of one job, however few are left beside it.

        Args:
            now: on the same clock; a look has to come several times a second.
            trained: steps that were made by jobs that have ended.
            ahead: steps of those that are not begun; None: not known.
            running: steps made and to be made by each that is at work.

        >>> sweep = Remaining(0.0)
        >>> sweep.look(2.0, 0, 300, [(100, 100), (100, 100)])
        >>> sweep.look(4.0, 0, 300, [(200, 0), (200, 100)])  # 400 steps in 4 s: 400 to go
        4.0
        >>> sweep.look(8.0, 400, 0, [(200, 200)])  # one is left, and it makes 50 steps a second
        4.0
        """
        self._busy += len(running) * (now - self._looked)
        self._looked = now
        made = trained + sum(done for done, _ in running)
        passed = now - self._began
        if ahead is None or made <= 0 or passed < BASE_SECONDS:
            return None
        left = ahead + sum(todo for _, todo in running)
        longest = max((todo for _, todo in running), default=0)
        return max(left * passed, longest * self._busy) / made
