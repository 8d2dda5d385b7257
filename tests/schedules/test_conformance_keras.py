"""``convention: keras`` is ``keras.optimizers.schedules``, asked at every step, in float64.

Keras computes in its ``floatx``, float32 unless it is told otherwise: told so here, so that formulas and
not roundings are compared. One test holds float32 against ours at what float32 can tell apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import SGDR, Cosine, Exponential, InverseTime, Linear, Piecewise, Polynomial, Schedule
from tests.schedules.conftest import GOLDEN, beyond, floors, gammas, quick, rates, runs, same

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = partial(pytest.importorskip, "keras", reason="the peer keras is not installed")
starts = st.floats(0.0, 1.0)


@pytest.fixture(autouse=True, scope="module")
def _float64() -> Iterator[None]:
    before = keras().config.floatx()
    keras().config.set_floatx("float64")
    yield
    keras().config.set_floatx(before)


def theirs(name: str, lr: float, count: int, **options: Any) -> list[float]:
    """The values of updates 0 … ``count`` − 1."""
    schedule = getattr(keras().optimizers.schedules, name)(lr, **options)
    return [float(schedule(t)) for t in range(count)]


@quick
@given(run=runs, lr=rates, start=starts, alpha=floors)
@example(run=(10, 3), lr=1.0, start=0.0, alpha=0.0)
@example(run=(1000, 100), lr=0.1, start=0.1, alpha=0.01)
def test_cosine_decay(run: tuple[int, int], lr: float, start: float, alpha: float) -> None:
    """decay_steps count after the warm-up: W and T − W make the run."""
    steps, warm = run
    ramp = {"warmup_target": lr, "warmup_steps": warm} if warm else {}
    values = theirs("CosineDecay", lr * start if warm else lr, steps, decay_steps=steps - warm, alpha=alpha, **ramp)
    same(Cosine(convention="keras", warmup=f"{warm}st", warmup_start=start, final=alpha), lr, values)


@quick
@given(steps=st.integers(1, 100), lr=rates, every=st.integers(1, 40), rate=gammas, staircase=st.booleans())
def test_exponential_and_inverse_time(steps: int, lr: float, every: int, rate: float, staircase: bool) -> None:
    options = {"decay_steps": every, "decay_rate": rate, "staircase": staircase}
    exponential = Exponential(convention="keras", gamma=rate, every=f"{every}st", staircase=staircase)
    same(exponential, lr, theirs("ExponentialDecay", lr, steps, **options))
    hyperbola = InverseTime(convention="keras", decay=rate, every=f"{every}st", staircase=staircase)
    same(hyperbola, lr, theirs("InverseTimeDecay", lr, steps, **options))


@quick
@given(steps=st.integers(1, 100), lr=rates, power=st.floats(0.3, 4.0), floor=floors)
def test_polynomial(steps: int, lr: float, power: float, floor: float) -> None:
    values = theirs("PolynomialDecay", lr, steps, decay_steps=steps, end_learning_rate=floor * lr, power=power)
    same(Polynomial(convention="keras", power=power, final={"absolute": floor * lr}), lr, values)


@quick
@given(
    steps=st.integers(1, 100),
    lr=rates,
    pieces=st.dictionaries(st.integers(1, 120), st.floats(0.0, 1.0), min_size=1, max_size=4),
)
def test_piecewise(steps: int, lr: float, pieces: dict[int, float]) -> None:
    """The value changes after the boundary: at step b + 1."""
    bounds = sorted(pieces)
    schedule = keras().optimizers.schedules.PiecewiseConstantDecay(bounds, [lr, *(lr * pieces[b] for b in bounds)])
    points = [("0st", 1.0), *((f"{b}st", pieces[b]) for b in bounds)]
    same(Piecewise(convention="keras", points=points), lr, [float(schedule(t)) for t in range(steps)])


@quick
@given(
    steps=st.integers(1, 100),
    lr=rates,
    first=st.integers(1, 30),
    mult=st.sampled_from([1.0, 2.0, 2.5]),
    peak_decay=st.floats(0.2, 1.0),
    alpha=floors,
)
def test_restarts(steps: int, lr: float, first: int, mult: float, peak_decay: float, alpha: float) -> None:
    """Where Keras's logarithm finds the cycle, as it does for these."""
    options = {"first_decay_steps": first, "t_mul": mult, "m_mul": peak_decay, "alpha": alpha}
    schedule = SGDR(convention="keras", first=f"{first}st", mult=mult, peak_decay=peak_decay, final=alpha)
    same(schedule, lr, theirs("CosineDecayRestarts", lr, steps, **options), relative=1e-11)


def test_a_restart_that_keras_misses_in_float32() -> None:
    """The trap: with t_mul = 1.5 the third cycle begins at step 25, where a float32 logarithm may stay in the second.

    The cycle's number is the whole part of log(2.25) / log(1.5): 2, or a little less; processors differ.
    """
    keras().config.set_floatx("float32")
    try:
        one = keras().ops.convert_to_tensor([2.25, 1.5], "float32")
        logarithms = keras().ops.log(one)
        missed = float(logarithms[0] / logarithms[1]) < 2
        values = theirs("CosineDecayRestarts", 1.0, 100, first_decay_steps=10, t_mul=1.5)
    finally:
        keras().config.set_floatx("float64")
    ours = SGDR(convention="keras", first="10st", mult=1.5).plan(Horizon(steps=100)).table()
    assert np.flatnonzero(np.abs(values - ours) > 1e-5).tolist() == [25] * missed
    assert (values[25], ours[25]) == pytest.approx((1.0 - missed, 1.0))


def test_float32_is_what_keras_computes_by_default() -> None:
    """To 2·10⁻⁷ of the peak: float32's ε is 1.2·10⁻⁷."""
    keras().config.set_floatx("float32")
    try:
        values = theirs("CosineDecay", 0.1, 1000, decay_steps=1000)
    finally:
        keras().config.set_floatx("float64")
    ours = Cosine(convention="keras").table(Horizon(steps=1000), 0.1)["lr"]
    np.testing.assert_allclose(ours, values, rtol=0, atol=0.1 * 2e-7)


# --- after the end: Keras's values at T, T + 1 and 2T ------------------------------------------------------------


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_what_holds_its_end(steps: int, warm: int) -> None:
    """Theirs is at its end from T on; ours holds the value of step T − 1, one step before it."""
    for values, schedule in (
        (
            theirs("CosineDecay", 0.0, 2 * steps + 1, decay_steps=steps - warm, warmup_target=1.0, warmup_steps=warm),
            Cosine(convention="keras", warmup=f"{warm}st"),
        ),
        (
            theirs("PolynomialDecay", 1.0, 2 * steps + 1, decay_steps=steps, end_learning_rate=0.0, power=2.0),
            Polynomial(convention="keras"),
        ),
    ):
        assert [values[t] for t in (steps, steps + 1, 2 * steps)] == pytest.approx([0.0] * 3)
        assert beyond(schedule, steps) == pytest.approx([values[steps - 1]] * 3, rel=1e-9)


def test_what_goes_on_for_ever() -> None:
    """At T, T + 1 and 2T for T = 10: the next cycle, and a curve without an end."""
    restarts = theirs("CosineDecayRestarts", 1.0, 21, first_decay_steps=10, t_mul=1.0)
    once = (1 + np.cos(np.pi / 10)) / 2
    assert [restarts[t] for t in (10, 11, 20)] == pytest.approx([1.0, once, 1.0])
    assert beyond(SGDR(convention="keras", first="10st"), 10) == pytest.approx([restarts[9]] * 3)
    hyperbola = theirs("InverseTimeDecay", 1.0, 21, decay_steps=1, decay_rate=1.0)
    assert [hyperbola[t] for t in (10, 11, 20)] == pytest.approx([1 / 11, 1 / 12, 1 / 21])
    assert beyond(InverseTime(convention="keras", every="1st"), 10) == pytest.approx([1 / 10] * 3)


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: Linear(convention="keras"), "convention", "Keras has no Linear"),
        (lambda: Polynomial(convention="keras", warmup="1st"), "warmup", "has no counterpart in Keras's Polynomial"),
        (lambda: Piecewise(convention="keras", shape="linear"), "shape", "give shape=constant, or convention=null"),
        (lambda: SGDR(convention="keras", first="4st", mult=0.1), "mult", "shrink below one step"),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
