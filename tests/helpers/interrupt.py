"""A sweep that a signal ends between two of its jobs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from lrsched.sweep.sweep import Sweep


@contextmanager
def interrupted(jobs: int, number: int = signal.SIGTERM) -> Iterator[None]:
    """Send this process a signal when so many jobs of its sweeps have ended, and been recorded."""
    ended, before = Sweep.record_end, count(1)

    def record_end(self: Sweep, job: Any, error: Any) -> None:
        ended(self, job, error)
        if next(before) == jobs:
            os.kill(os.getpid(), number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sweep, "record_end", record_end)
        yield
