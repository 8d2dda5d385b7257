"""``convention: optax`` is ``optax.schedules``, by the formulas of its documentation, written out here.

Optax needs JAX, which is large: where both are installed, the formulas are held against Optax itself, in
float64 (it computes in float32 unless JAX is told otherwise). Elsewhere ours is held against the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import (
    SGDR,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
)
from tests.schedules.conftest import GOLDEN, beyond, quick, same

Value: TypeAlias = Callable[[int], float]
Case: TypeAlias = Callable[[int, int, float, float, float], tuple[Schedule, Value, Callable[[Any], Any]]]


# --- Optax's formulas, for a peak of 1 -------------------------------------------------------------------------


def polynomial(a: float, b: float, power: float, n: int) -> Value:
    return lambda t: (a - b) * (1 - min(t, n) / n) ** power + b


def cosine(n: int, alpha: float, exponent: float = 1.0, peak: float = 1.0) -> Value:
    return lambda t: peak * ((1 - alpha) * (0.5 * (1 + math.cos(math.pi * min(t, n) / n))) ** exponent + alpha)


def exponential(rate: float, every: int, staircase: bool, end: float) -> Value:
    return lambda t: max(end, rate ** (t // every if staircase else t / every))


def stair(scales: dict[int, float]) -> Value:
    return lambda t: math.prod(scale for boundary, scale in scales.items() if boundary <= t)


def joined(schedules: list[Value], boundaries: list[int]) -> Value:
    """Each from its boundary on, by a clock that starts there."""

    def value(t: int) -> float:
        which = sum(boundary <= t for boundary in boundaries)
        return schedules[which](t - [0, *boundaries][which])

    return value


def through(points: list[tuple[int, float]], wave: bool) -> Value:
    """piecewise_interpolate_schedule: linear or cosine between the points, the last value after them."""

    def value(t: int) -> float:
        for (begin, a), (end, b) in pairwise(points):
            if begin <= t < end:
                x = (t - begin) / (end - begin)
                return b + (a - b) / 2 * (math.cos(math.pi * x) + 1) if wave else (b - a) * x + a
        return points[-1][1]

    return value


def warmed(warm: int, start: float, schedule: Value) -> Value:
    return joined([polynomial(start, 1.0, 1, warm), schedule], [warm]) if warm else schedule


# --- the cases: ours, the formula, and Optax's own --------------------------------------------------------------


def case(cls: type[Schedule], formula: Callable[..., Value], own: Callable[..., Any], options: Any) -> Case:
    """A schedule after a warm-up; ``formula``, ``own`` and ``options`` are made of (T − W, floor, gamma)."""

    def make(
        steps: int, warm: int, start: float, floor: float, gamma: float
    ) -> tuple[Schedule, Value, Callable[[Any], Any]]:
        n = steps - warm
        schedule = cls(convention="optax", warmup=f"{warm}st", warmup_start=start, **options(floor, gamma))

        def build(optax: Any) -> Any:
            body = own(optax, n, floor, gamma)
            ramp = optax.linear_schedule(start, 1.0, warm)
            return optax.join_schedules([ramp, body], [warm]) if warm else body

        return schedule, warmed(warm, start, formula(n, floor, gamma)), build

    return make


CASES: dict[str, Case] = {
    "constant": case(
        Constant, lambda n, f, g: lambda t: 1.0, lambda o, n, f, g: o.constant_schedule(1.0), lambda f, g: {}
    ),
    "linear": case(
        Linear,
        lambda n, f, g: polynomial(1.0, f, 1, n),
        lambda o, n, f, g: o.linear_schedule(1.0, f, n),
        lambda f, g: {"final": f},
    ),
    "polynomial": case(
        Polynomial,
        lambda n, f, g: polynomial(1.0, f, 1 + g, n),
        lambda o, n, f, g: o.polynomial_schedule(1.0, f, 1 + g, n),
        lambda f, g: {"final": f, "power": 1 + g},
    ),
    "cosine": case(
        Cosine,
        lambda n, f, g: cosine(n, f, 1 + g),
        lambda o, n, f, g: o.cosine_decay_schedule(1.0, n, f, 1 + g),
        lambda f, g: {"final": f, "power": 1 + g},
    ),
    "exponential": case(
        Exponential,
        lambda n, f, g: exponential(g, 3, False, f),
        lambda o, n, f, g: o.exponential_decay(1.0, 3, g, end_value=f),
        lambda f, g: {"final": f, "gamma": g, "every": "3st"},
    ),
    "staircase": case(
        Exponential,
        lambda n, f, g: exponential(g, 3, True, f),
        lambda o, n, f, g: o.exponential_decay(1.0, 3, g, staircase=True, end_value=f),
        lambda f, g: {"final": f, "gamma": g, "every": "3st", "staircase": True},
    ),
    "multistep": case(
        MultiStep,
        lambda n, f, g: stair({2: g, 7: g}),
        lambda o, n, f, g: o.piecewise_constant_schedule(1.0, {2: g, 7: g}),
        lambda f, g: {"milestones": ["2st", "7st"], "gamma": g},
    ),
}


def one_cycle(steps: int, rise: int, start: float, end: float, linear: bool) -> tuple[Schedule, Value, Any]:
    """``rise`` percent; Optax cuts the floating-point product of share and steps off."""
    schedule = OneCycle(
        convention="optax",
        rise=f"{rise}%",
        start=start,
        end=end * start,
        anneal="linear" if linear else "cosine",
        three_phase=linear,
        momentum=None,
    )
    up = int(rise / 100 * steps)
    middle = [(int(0.85 * steps), start)] if linear else []
    formula = through([(0, start), (up, 1.0), *middle, (steps, end * start)], wave=not linear)
    options = {"div_factor": 1 / start, "final_div_factor": 1 / end, "pct_start": rise / 100}
    name = "linear_onecycle_schedule" if linear else "cosine_onecycle_schedule"
    return schedule, formula, lambda optax: getattr(optax, name)(steps, 1.0, **options)


def sgdr(lengths: list[int], warm: int, decay: float, floor: float) -> tuple[Value, Callable[[Any], Any]]:
    """Cycles that start at ``floor`` and have a warm-up each."""
    peaks = [max(floor, decay**c) for c in range(len(lengths))]
    cycles = [
        joined([polynomial(floor, peak, 1, warm), cosine(n - warm, floor / peak, 1.0, peak)], [warm])
        if warm
        else cosine(n, floor / peak, 1.0, peak)
        for n, peak in zip(lengths, peaks, strict=True)
    ]
    arguments = [
        {"init_value": floor, "peak_value": peak, "warmup_steps": warm, "decay_steps": n, "end_value": floor}
        for n, peak in zip(lengths, peaks, strict=True)
    ]
    return joined(cycles, list(accumulate(lengths))[:-1]), lambda optax: optax.sgdr_schedule(arguments)


# --- ours is the formula ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@quick
@given(
    run=st.integers(2, 120).flatmap(lambda steps: st.tuples(st.just(steps), st.integers(0, steps - 1))),
    start=st.floats(0.0, 1.0),
    floor=st.floats(0.0, 0.9),
    gamma=st.floats(0.05, 0.99),
    lr=st.floats(1e-4, 10.0),
)
@example(run=(10, 3), start=0.0, floor=0.1, gamma=0.5, lr=1.0)
@example(run=(1000, 100), start=0.1, floor=0.0, gamma=0.5, lr=0.1)
def test_after_a_warmup(name: str, run: tuple[int, int], start: float, floor: float, gamma: float, lr: float) -> None:
    schedule, formula, _ = CASES[name](*run, start, floor, gamma)
    same(schedule, lr, [lr * formula(t) for t in range(run[0])])


@quick
@given(steps=st.integers(4, 120), rise=st.integers(1, 59), start=st.floats(0.001, 1.0), end=st.floats(1e-4, 1.0))
@example(steps=100, rise=29, start=0.04, end=1e-4)  # 0.29·100 is 28.999999999999996, and cut off to 28
def test_one_cycle(steps: int, rise: int, start: float, end: float) -> None:
    for linear in (True, False):
        schedule, formula, _ = one_cycle(steps, rise, start, end, linear)
        same(schedule, 1.0, [formula(t) for t in range(steps)])


@quick
@given(steps=st.integers(1, 120), warm=st.integers(0, 4), decay=st.floats(0.3, 1.0), floor=st.floats(0.0, 0.5))
def test_sgdr(steps: int, warm: int, decay: float, floor: float) -> None:
    formula, _ = sgdr([5, 10, 20, 40, 80], warm, decay, floor)
    schedule = SGDR(convention="optax", first="5st", mult=2, cycle_warmup=f"{warm}st", peak_decay=decay, final=floor)
    same(schedule, 1.0, [formula(t) for t in range(steps)])


# --- the formula is Optax's ------------------------------------------------------------------------------------


def test_the_formulas_are_those_of_optax() -> None:
    """At every step, and at T, T + 1 and 2T."""
    optax = pytest.importorskip("optax", reason="the peer optax (with jax) is not installed")
    jax = pytest.importorskip("jax")

    cases = [CASES[name](*run, 0.1, 0.05, 0.5) for name in CASES for run in (*GOLDEN, (10, 0))]
    cases += [one_cycle(steps, 29, 0.04, 1e-4, linear) for steps in (10, 100) for linear in (True, False)]
    formula, build = sgdr([5, 10, 20, 40, 80], 2, 0.5, 0.05)
    cases.append((SGDR(), formula, build))
    with jax.enable_x64(True):
        for _, formula, build in cases:
            theirs = build(optax)
            steps = [*range(12), 20, 85, 99, 100, 101, 200, 999, 1000, 1001, 2000]
            np.testing.assert_allclose([float(theirs(t)) for t in steps], [formula(t) for t in steps], rtol=1e-9)


# --- after the end: Optax's values at T, T + 1 and 2T, where ours holds step T − 1 -------------------------------


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
@pytest.mark.parametrize("name", ["linear", "polynomial", "cosine"])
def test_what_holds_its_end(name: str, steps: int, warm: int) -> None:
    schedule, formula, _ = CASES[name](steps, warm, 0.0, 0.1, 0.5)
    assert [formula(t) for t in (steps, steps + 1, 2 * steps)] == pytest.approx([0.1] * 3, rel=1e-12)
    assert beyond(schedule, steps) == pytest.approx([formula(steps - 1)] * 3, rel=1e-12)
    assert formula(steps - 1) > 0.1


def test_one_cycle_holds_its_end() -> None:
    for linear in (True, False):
        schedule, formula, _ = one_cycle(10, 30, 0.04, 1e-4, linear)
        assert [formula(t) for t in (10, 11, 20)] == pytest.approx([4e-6] * 3)
        assert beyond(schedule, 10) == pytest.approx([formula(9)] * 3, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: InverseTime(convention="optax"), "convention", "Optax has no InverseTime; conventions that have it:"),
        (
            lambda: OneCycle(convention="optax"),
            "momentum",
            "has no counterpart in Optax's OneCycle; give momentum=null",
        ),
        (lambda: OneCycle(convention="optax", momentum=None, anneal="linear"), "three_phase", "give three_phase=true"),
        (lambda: OneCycle(convention="optax", momentum=None, rise="100%"), "rise", "way down is over at step 10"),
        (lambda: Cosine(convention="optax", k=2.0), "k", "has no counterpart in Optax's Cosine"),
        (
            lambda: SGDR(convention="optax", first="2st", cycle_warmup="2st"),
            "cycle_warmup",
            "leaves nothing of cycle 0",
        ),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
