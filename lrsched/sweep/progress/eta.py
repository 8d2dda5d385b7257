"""Estimate the time that parallel jobs still need, from the steps made so far."""

from __future__ import annotations

from collections.abc import Sequence

BASE_SECONDS = 3.0
"""Seconds without an estimate: the first steps are slower than the others."""


class Remaining:
    """Estimates the remaining time again and again.

    Args:
        now: the time at which the jobs began, on a monotonic clock.
    """

    def __init__(self, now: float) -> None:
        self._began = self._looked = now
        self._busy = 0.0  # seconds of all jobs together

    def look(self, now: float, trained: int, ahead: int | None, running: Sequence[tuple[int, int]]) -> float | None:
        """Seconds until all jobs are done, or None if unknown.

        The estimate assumes that all jobs together keep their speed, and that each running job makes its remaining
        steps at the mean speed of one job.

        Args:
            now: on the same clock; call this several times a second.
            trained: steps made by jobs that have ended.
            ahead: steps of jobs that have not begun; None: unknown.
            running: steps made and steps left of each running job.

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
