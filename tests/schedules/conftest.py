"""How ours is compared with a peer's numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from lrsched.horizon import Horizon
from lrsched.schedules import Schedule

quick = settings(max_examples=25, deadline=None)
rates = st.floats(1e-4, 10.0)
gammas = st.floats(0.05, 1.0)
floors = st.floats(0.0, 0.9)
runs = st.integers(2, 120).flatmap(lambda steps: st.tuples(st.just(steps), st.integers(0, steps - 1)))
"""(T, W): the steps of a run and of its warm-up."""

GOLDEN = [(10, 3), (1000, 100)]
"""(T, W) that past-the-end values are stated for."""


def same(
    schedule: Schedule, lr: float, theirs: Sequence[float], *, column: str = "lr", relative: float = 1e-12
) -> None:
    """Ours is theirs at every step, from 0 on: to ``relative``, or, where 1 + cos πx cancels, to a rounding of 1."""
    ours = schedule.table(Horizon(steps=len(theirs)), lr)[column]
    np.testing.assert_allclose(ours, theirs, rtol=relative, atol=lr * relative / 1000)


def beyond(schedule: Schedule, steps: int) -> list[float]:
    """Ours at T, T + 1 and 2T, as multiples of the peak; it is the value of step T − 1."""
    plan = schedule.plan(Horizon(steps=steps))
    after = plan.at([steps, steps + 1, 2 * steps]).tolist()
    assert after == [plan[steps - 1]] * 3
    return after
