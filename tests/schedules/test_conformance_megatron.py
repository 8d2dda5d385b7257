"""``convention: megatron`` is Megatron-LM's ``OptimizerParamScheduler``, by its formulas, written out here.

Megatron-LM is no library to install beside a test. Its clock counts samples; a step here is a global batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import WSD, Constant, Cosine, InverseSqrt, Linear, Polynomial, Schedule
from tests.schedules.conftest import GOLDEN, beyond, floors, quick, rates, runs, same

starts = st.floats(0.0, 1.0)
TAILS: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (math.cos(math.pi * x) + 1) / 2,
    "exponential": lambda x: 2 * 0.5**x - 1,
    "sqrt": lambda x: 1 - math.sqrt(x),  # Megatron-LM's minus_sqrt
}


def theirs(
    style: str, steps: int, warm: int, start: float, floor: float, *, top: float = 1.0, down: int = 0, tail: str = ""
) -> Callable[[int], float]:
    """The rate that update t trains with, for a peak of ``top`` and init_lr, min_lr as multiples of it."""

    def value(t: int) -> float:
        if warm > 0 and t <= warm:
            return start + (1 - start) * t / warm
        if style == "constant":
            return 1.0
        if t > steps:
            return floor
        if style == "inverse-square-root":
            return max(floor, math.sqrt(max(warm, 1)) / math.sqrt(max(t, 1)))
        x = (t - warm) / (steps - warm)
        if style == "WSD":
            begin = steps - down
            share = 1.0 if t <= begin else TAILS[tail]((t - begin) / down)
        else:
            share = TAILS[style](x)
        return floor + share * (1 - floor)

    return lambda t: top * value(t)


def preset(cls: type[Schedule], warm: int, start: float, **options: Any) -> Schedule:
    return cls(convention="megatron", warmup=f"{warm}st", warmup_start=start, **options)


@quick
@given(run=runs, lr=rates, start=starts, floor=floors)
@example(run=(10, 3), lr=1.0, start=0.0, floor=0.1)
@example(run=(1000, 100), lr=0.1, start=0.0, floor=0.0)
@example(run=(10, 0), lr=1.0, start=0.0, floor=0.1)
def test_constant_linear_cosine_and_inverse_sqrt(run: tuple[int, int], lr: float, start: float, floor: float) -> None:
    steps, warm = run
    for style, schedule in (
        ("constant", preset(Constant, warm, start)),
        ("linear", preset(Linear, warm, start, final=floor)),
        ("cosine", preset(Cosine, warm, start, final=floor)),
        ("inverse-square-root", preset(InverseSqrt, warm, start, final=floor)),
    ):
        value = theirs(style, steps, warm, start, floor, top=lr)
        same(schedule, lr, [value(t) for t in range(steps)])


@pytest.mark.parametrize("tail", TAILS)
@quick
@given(run=runs, lr=rates, start=starts, floor=floors, down=st.integers(1, 60))
@example(run=(1000, 100), lr=0.1, start=0.0, floor=0.1, down=200)
@example(run=(10, 3), lr=1.0, start=0.0, floor=0.0, down=7)
def test_warmup_stable_decay(tail: str, run: tuple[int, int], lr: float, start: float, floor: float, down: int) -> None:
    steps, warm = run
    assume(warm + down <= steps)
    value = theirs("WSD", steps, warm, start, floor, top=lr, down=down, tail=tail)
    schedule = preset(WSD, warm, start, shape=tail, decay=f"{down}st", final=floor)
    same(schedule, lr, [value(t) for t in range(steps)])


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_after_the_end(steps: int, warm: int) -> None:
    """min_lr at T, T + 1 and 2T, from one step above it. The inverse square root falls there from T to T + 1."""
    after = (steps, steps + 1, 2 * steps)
    for style, schedule in (
        ("linear", preset(Linear, warm, 0.0, final=0.1)),
        ("cosine", preset(Cosine, warm, 0.0, final=0.1)),
    ):
        value = theirs(style, steps, warm, 0.0, 0.1)
        assert [value(t) for t in after] == pytest.approx([0.1] * 3, rel=1e-12)
        assert beyond(schedule, steps) == pytest.approx([value(steps - 1)] * 3, rel=1e-12)
    for tail in TAILS:
        value = theirs("WSD", steps, warm, 0.0, 0.1, down=4, tail=tail)
        assert [value(t) for t in after] == pytest.approx([0.1] * 3, rel=1e-12)
        schedule = preset(WSD, warm, 0.0, shape=tail, decay="4st", final=0.1)
        assert beyond(schedule, steps) == pytest.approx([value(steps - 1)] * 3, rel=1e-12)


def test_inverse_sqrt_drops_after_the_end() -> None:
    """The trap: W = 2, T = 10, min_lr = 0.1: 0.447 at step 10 and 0.1 at step 11. Ours stays at 0.471."""
    value = theirs("inverse-square-root", 10, 2, 0.0, 0.1)
    assert [value(10), value(11), value(20)] == pytest.approx([math.sqrt(0.2), 0.1, 0.1])
    assert beyond(preset(InverseSqrt, 2, 0.0, final=0.1), 10) == pytest.approx([math.sqrt(2 / 9)] * 3)


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: Polynomial(convention="megatron"), "convention", "Megatron-LM has no Polynomial"),
        (lambda: InverseSqrt(convention="megatron", timescale="5st"), "timescale", "give timescale=null"),
        (lambda: WSD(convention="megatron", shape="square"), "shape", "not one of linear, cosine, exponential, sqrt"),
        (lambda: WSD(convention="megatron", warmup="9st"), "decay", "a warm-up of 9 leaves 1 of the run's 10 steps"),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
