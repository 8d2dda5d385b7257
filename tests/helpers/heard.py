"""What loggers say during a test.

It stands for pytest's own plugin, which adds two handlers to every logger that keeps its records to itself, six times a
test: PyTorch alone has 44 of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Heard(logging.Handler):
    """Keeps the records that reach the root or lrsched's own logger; one that reaches both is kept twice."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def text(self) -> str:
        """Their messages."""
        return "\n".join(record.getMessage() for record in self.records)

    @contextmanager
    def at_level(self, level: int, name: str) -> Iterator[None]:
        """Give a logger another level for a while."""
        logger = logging.getLogger(name)
        before = logger.level
        logger.setLevel(level)
        try:
            yield
        finally:
            logger.setLevel(before)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """The records of a test."""
    handler, loggers = Heard(), [logging.getLogger(), logging.getLogger("lrsched")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler
    for logger in loggers:
        logger.removeHandler(handler)
