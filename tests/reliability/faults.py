"""What can be made to go wrong in a run, by wrapping its parts from outside: the product has no hooks for it."""

from __future__ import annotations

import os
import signal
from typing import Any


def stop_at(step: int, number: int = signal.SIGTERM) -> None:
    """Send the process a signal when ``step`` updates are completed, before it comes to rest."""
    from lrsched.train.update import Update

    original = Update.__call__

    def call(self: Update, state: Any, *arguments: Any, **named: Any) -> Any:
        answer = original(self, state, *arguments, **named)
        if state.step == step:
            os.kill(os.getpid(), number)
        return answer

    Update.__call__ = call  # type: ignore[method-assign]


def kill_after_save(step: int) -> None:
    """Ask for a stop at ``step``, and die by SIGKILL when its checkpoint is written: nothing is said or closed."""
    from lrsched.checkpoint import Store

    stop_at(step)
    original = Store.save

    def save(self: Store, at: int, *arguments: Any, **named: Any) -> Any:
        answer = original(self, at, *arguments, **named)
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Store.save = save  # type: ignore[method-assign]
