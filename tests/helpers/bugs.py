"""Errors that are raised in no line of a test: one that passes a test's own code would be a user's, and not ours."""

from __future__ import annotations

from functools import partialmethod
from unittest.mock import DEFAULT, Mock

import pytest


def bug(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, after: int = 0) -> None:
    """Raise an error when an update is logged, after some that are logged as ever."""
    from lrsched.train.loop import Trainer

    log = Mock(wraps=Trainer._log, side_effect=[*[DEFAULT] * after, error])
    monkeypatch.setattr(Trainer, "_log", partialmethod(log))
