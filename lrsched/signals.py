"""Signals that ask a process to stop: at once where nothing can be lost, at rest where a run is under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from lrsched.errors import Stopped, UserError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

T = TypeVar("T")


class StopFlag:
    """A context in which TERM, INT, USR1 and USR2 ask for a stop instead of ending the process.

    While it is *patient* a signal only raises the flag: whoever trains looks at it where the run is at
    rest. Else there is nothing to save yet (data is being loaded, a model built, the next job composed)
    and the first signal raises :class:`Stopped` on the spot. Later signals change nothing: a stop is
    under way. Contexts may be nested; the outermost one installs the handlers and puts the old ones back.

    Outside the main thread nothing can be installed; the flag then stays down.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._came: list[int] = []
        self._patience = 0
        self._settled = False
        self._more = 0
        self._depth = 0
        self._before: dict[int, object] = {}
        self._alone = threading.Lock()

    @contextmanager
    def alone(self) -> Generator[StopFlag]:
        """Listen for one piece of work that no other in this process may overlap.

        Raises:
            UserError: another one is under way, in another thread or above.
        """
        if self.listens or not self._alone.acquire(blocking=False):
            raise UserError(
                "a run is under way in this process, and two would draw from the same generators and threads; wait for "
                "it, or make each in a process of its own"
            )
        try:
            self.lower()
            with self:
                yield self
        finally:
            self._alone.release()

    def lower(self) -> None:
        """Forget every signal, and that the work is done: another command begins."""
        self.number, self._settled = None, False
        self._came.clear()

    def __enter__(self) -> StopFlag:
        self._depth += 1
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._raise_flag) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            self._before = {}

    @property
    def listens(self) -> bool:
        """Whether one of its contexts is open."""
        return self._depth > 0

    def hand_on(self) -> None:
        """Re-deliver received signals to the handlers that were installed before.

        A launcher's handler may requeue the job after a cluster's warning.
        """
        for number in self._came:
            handler = signal.getsignal(number)
            if callable(handler) and handler is not signal.default_int_handler:
                handler(number, None)

    @contextmanager
    def patient(self) -> Generator[StopFlag]:
        """Within it a signal waits until somebody looks."""
        self._patience += 1
        try:
            yield self
        finally:
            self._patience -= 1

    @contextmanager
    def unfinished(self) -> Generator[None]:
        """Within it the end of one run is not the end of the work."""
        self._more += 1
        try:
            yield
        finally:
            self._more -= 1

    def settle(self) -> None:
        """Ignore signals from now on: the work is done."""
        if not self._more:
            self.number, self._settled = None, True

    @property
    def name(self) -> str:
        return name_of(self.number)

    def check(self) -> None:
        """Check the flag before work that could take long.

        Raises:
            Stopped: it is up.
        """
        if self.number is not None:
            raise Stopped(self.number, f"stopped by {self.name}")

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """The same items, with a look at the flag before each."""
        for item in items:
            self.check()
            yield item

    def _raise_flag(self, number: int, frame: FrameType | None) -> None:
        if self._settled:
            return
        self._came.append(number)
        first = self.number is None
        if first:
            self.number = number
        if first and not self._patience:
            self.check()


def name_of(number: int | None) -> str:
    """The name of a signal, such as SIGTERM; empty for none."""
    return "" if number is None else signal.Signals(number).name


_STOP = StopFlag()


def stop_flag() -> StopFlag:
    """The stop flag of this process: one signal ends the run that is under way, and its sweep."""
    return _STOP
