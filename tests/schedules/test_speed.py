"""A preview of a million steps is immediate."""

from __future__ import annotations

import time

import pytest

from lrsched.horizon import Horizon
from tests.helpers.shelf import SHELF


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("name", SHELF)
def test_a_million_steps_in_50_milliseconds(name: str) -> None:
    schedule = SHELF[name](warmup="4000st")
    run = Horizon(steps=1_000_000, steps_per_epoch=5_000)

    def seconds() -> float:
        start = time.perf_counter()
        schedule.table(run, 0.1)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.05
