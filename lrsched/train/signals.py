"""Signals only raise a flag; the loop looks at it where the run is at rest."""

from __future__ import annotations

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopFlag:
    """A context in which TERM, INT and USR1 ask for a stop instead of ending the process.

    Outside the main thread nothing can be installed; the flag then stays down.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopFlag:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._raise_flag) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        return "" if self.number is None else signal.Signals(self.number).name

    def _raise_flag(self, number: int, frame: FrameType | None) -> None:
        self.number = number
