"""One row a schedule: a short run, its values written as the formula or worked out by hand."""

from __future__ import annotations

from math import cos, pi, sqrt, tanh

import numpy as np
import pytest

import lrsched.schedules
from lrsched.horizon import Horizon
from lrsched.schedules import (
    SGDR,
    WSD,
    WSDS,
    Chebyshev,
    Constant,
    Cooldown,
    Cosine,
    Cyclic,
    Exponential,
    FlatCosine,
    HalfCosine,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    Noam,
    Noise,
    OneCycle,
    Periods,
    Piecewise,
    Polynomial,
    Power,
    Product,
    Rex,
    Schedule,
    Sequence,
    Snapshot,
    Step,
    Table,
    Tanh,
    TimeBased,
)
from tests.helpers.shelf import VALUES

RUN = Horizon(steps=10, steps_per_epoch=2)
T = range(10)
X = [t / 10 for t in T]


def wave(x: float) -> float:
    return (1 + cos(pi * x)) / 2


ROWS: dict[str, tuple[Schedule, list[float]]] = {
    "Constant": (Constant(), [1.0] * 10),
    "Linear": (Linear(final=0.2), [1 + (0.2 - 1) * x for x in X]),
    "Cosine": (Cosine(final=0.1), [0.1 + 0.9 * wave(x) for x in X]),
    "HalfCosine": (HalfCosine(final=0.5), [0.5 + 0.5 * (1 + cos(pi * (1 + x) / 2)) for x in X]),
    "Polynomial": (Polynomial(), [(1 - x) ** 2 for x in X]),
    "Exponential": (Exponential(), [0.95 ** (t / 2) for t in T]),
    "Step": (Step(), [1, 1, 1, 0.1, 0.1, 0.1, 0.1**2, 0.1**2, 0.1**2, 0.1**3]),
    "MultiStep": (MultiStep(), [1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1**2, 0.1**2]),  # 75% of 10 is 7.5: step 8
    "Piecewise": (Piecewise(), [1.0] * 5 + [0.1] * 5),
    "InverseTime": (InverseTime(), [1 / (1 + t / 2) for t in T]),
    "TimeBased": (  # n = 0 0 1 1 2 2 3 3 4 4; the divisors from one to the next are 1, 2, 3, 4
        TimeBased(decay=1.0),
        [1, 1, 1, 1, 1 / 2, 1 / 2, 1 / 2 / 3, 1 / 2 / 3, 1 / 2 / 3 / 4, 1 / 2 / 3 / 4],
    ),
    "InverseSqrt": (InverseSqrt(), [sqrt(10000 / (t + 10000)) for t in T]),
    "Noam": (Noam(warmup="4st"), [min((t + 1) ** -0.5, (t + 1) * 4**-1.5) * 4**0.5 for t in T]),
    "Power": (Power(warmup="2st"), [0.5, 1.0, *((t / 2) ** -0.51 for t in range(2, 10))]),
    "Rex": (Rex(), [(1 - x) / (1 - x / 2) for x in X]),
    "Tanh": (Tanh(), [0.5 * (1 - tanh(-7 * (1 - x) + 3 * x)) for x in X]),
    "Chebyshev": (  # N = 16; the order is 0, then each index with its mirror: 15, 7, 8, 3, 12, 4, 11, 1, 14
        Chebyshev(),
        [
            (1 / (1 - 19 / 21 * cos(pi * (k + 0.5) / 16))) / (1 / (1 - 19 / 21 * cos(pi * 0.5 / 16)))
            for k in (0, 15, 7, 8, 3, 12, 4, 11, 1, 14)
        ],
    ),
    "WSD": (WSD(decay="40%"), [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
    "FlatCosine": (FlatCosine(decay="40%"), [1.0] * 6 + [wave(i / 4) for i in range(4)]),
    "OneCycle": (
        OneCycle(),
        [1 + (0.04 - 1) * wave(i / 3) for i in range(3)] + [4e-6 + (1 - 4e-6) * wave(i / 7) for i in range(7)],
    ),
    "Cyclic": (  # up 4, down 4, up again
        Cyclic(),
        [0.1 + 0.9 * h for h in (0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0.25)],
    ),
    "SGDR": (  # cycles of 2, 4 and 8 steps from 1, 1/2, 1/4
        SGDR(first="1ep", mult=2, peak_decay=0.5),
        [1, 0.5] + [0.5 * wave(i / 4) for i in range(4)] + [0.25 * wave(i / 8) for i in range(4)],
    ),
    "Periods": (
        Periods(lengths=["30%", "70%"], weights=[1, 0.5]),
        [wave(i / 3) for i in range(3)] + [0.5 * wave(i / 7) for i in range(7)],
    ),
    "Snapshot": (  # ⌊10/3⌋ = 3, and the last cycle takes 4
        Snapshot(cycles=3),
        [wave(i / 3) for i in range(3)] * 2 + [wave(i / 4) for i in range(4)],
    ),
    "WSDS": (WSDS(lengths=["40%", "60%"], decay="20%"), [1, 1, 1, 0.5, 1, 1, 1, 1, 1, 0.5]),
    "Sequence": (  # 3 steps, then a clock of 7: a warm-up of 1 (10% of the whole run) and 6 of a line
        Sequence(
            parts=[
                {"length": "30%", "schedule": Linear(final=0.25)},
                {"length": "rest", "schedule": Linear(warmup="10%", final=0.4)},
            ]
        ),
        [1, 0.75, 0.5, 1] + [1 + (0.4 - 1) * (i / 6) for i in range(6)],
    ),
    "Product": (
        Product(factors=[Linear(), MultiStep(milestones=["40%"], gamma=0.5), Constant(warmup="2st")]),
        [1 * 0.5, 0.9, 0.8, 0.7, 0.6 / 2, 0.5 / 2, 0.4 / 2, (1 - 0.7) / 2, (1 - 0.8) / 2, (1 - 0.9) / 2],
    ),
    "Cooldown": (  # from 0.7, the line's value at step 3, to 0.1 over 4 steps, and held
        Cooldown(of=Linear(), at="30%", decay="2ep", final=0.1),
        [1, 0.9, 0.8] + [0.7 + (0.1 - 0.7) * (i / 4) for i in range(4)] + [0.1] * 3,
    ),
    "Noise": (Noise(of=Linear(), std=0.0), [1 - x for x in X]),  # with noise: test_noise.py
    "Table": (Table(path=VALUES), [1.0] + [0.25] * 9),
}


def test_every_schedule_has_a_row() -> None:
    assert set(ROWS) == set(dir(lrsched.schedules))


@pytest.mark.parametrize("name", ROWS)
def test_values(name: str) -> None:
    schedule, expected = ROWS[name]
    assert type(schedule).__name__ == name
    np.testing.assert_array_max_ulp(schedule.plan(RUN).table(), np.array(expected, dtype=float), maxulp=1)
