"""``convention: titan`` is torchtitan's one schedule, warm-up, stable, decay, by its formula, written out here.

torchtitan wants nightly builds of PyTorch and is not installed beside a test.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import WSD, Cosine, InverseSqrt, Linear, Schedule
from tests.schedules.conftest import GOLDEN, beyond, floors, quick, rates, runs, same

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "sqrt": lambda x: 1 - math.sqrt(x),
    "cosine": lambda x: 0.5 * (1 + math.cos(math.pi * x)),
}


def theirs(shape: str, steps: int, warm: int, floor: float, ratio: float | None) -> Callable[[int], float]:
    """The multiplier of update t: ``decay_ratio`` = ratio, ``min_lr_factor`` = floor."""
    down = steps - warm if ratio is None else round(steps * ratio)
    stable = steps + 1 - warm - down  # with the virtual last step

    def value(t: int) -> float:
        if t < warm:
            return (t + 1) / warm
        if t < warm + stable:
            return 1.0
        return floor + (1 - floor) * SHAPES[shape]((t + 1 - warm - stable) / down)

    return value


def sequence(value: Callable[[int], float], lr: float, steps: int) -> list[float]:
    return [lr * value(t) for t in range(steps)]


@quick
@given(run=runs, lr=rates, floor=floors)
@example(run=(10, 3), lr=1.0, floor=0.0)
@example(run=(1000, 100), lr=0.1, floor=0.1)
@example(run=(10, 9), lr=1.0, floor=0.0)  # a decay of one step, the virtual one
def test_the_decay_after_the_warmup(run: tuple[int, int], lr: float, floor: float) -> None:
    steps, warm = run
    for cls, shape in ((Linear, "linear"), (Cosine, "cosine")):
        schedule = cls(convention="titan", warmup=f"{warm}st", final=floor)
        same(schedule, lr, sequence(theirs(shape, steps, warm, floor, None), lr, steps))


@pytest.mark.parametrize("shape", SHAPES)
@quick
@given(run=runs, lr=rates, floor=floors, percent=st.integers(1, 100))
@example(run=(10, 3), lr=1.0, floor=0.0, percent=25)  # round(2.5) is 2
@example(run=(100, 10), lr=1.0, floor=0.0, percent=58)
@example(run=(1000, 100), lr=0.1, floor=0.1, percent=20)
def test_warmup_stable_decay(shape: str, run: tuple[int, int], lr: float, floor: float, percent: int) -> None:
    steps, warm = run
    assume(1 <= round(steps * (percent / 100)) <= steps - warm)
    schedule = WSD(convention="titan", warmup=f"{warm}st", decay=f"{percent}%", shape=shape, final=floor)
    same(schedule, lr, sequence(theirs(shape, steps, warm, floor, percent / 100), lr, steps))


@pytest.mark.parametrize("shape", SHAPES)
def test_ours_is_the_same_without_a_convention(shape: str) -> None:
    """Our warm-up ``(]`` and decay ``[)`` are its (t + 1)/W and its virtual last step, said in other words."""
    own = WSD(warmup="100st", decay="20%", shape=shape, final=0.1)
    same(own, 1.0, sequence(theirs(shape, 1000, 100, 0.1, 0.2), 1.0, 1000))


def test_half_a_step_goes_to_the_even_number() -> None:
    """25 % of 10 steps: torchtitan decays over round(2.5) = 2, ours over 3."""
    values = sequence(theirs("linear", 10, 0, 0.0, 0.25), 1.0, 10)
    assert values[7:] == [1.0, 1.0, 0.5]
    assert WSD(decay="25%", convention="titan").plan(Horizon(steps=10)).table()[7:].tolist() == [1.0, 1.0, 0.5]
    assert WSD(decay="25%").plan(Horizon(steps=10)).table()[7:] == pytest.approx([1.0, 2 / 3, 1 / 3])


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_after_the_end(steps: int, warm: int) -> None:
    """The trap: at T it is at its floor, and below it after: a linear decay to 0 is at −1/D at T + 1."""
    value = theirs("linear", steps, warm, 0.0, None)
    down = steps - warm
    after = [value(t) for t in (steps, steps + 1, 2 * steps)]
    assert after == pytest.approx([0.0, -1 / down, -steps / down])
    schedule = Linear(convention="titan", warmup=f"{warm}st")
    assert beyond(schedule, steps) == pytest.approx([1 / down] * 3, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: InverseSqrt(convention="titan"), "convention", "conventions that have it: hf, megatron"),
        (lambda: Linear(convention="titan", warmup_start=0.1), "warmup_start", "has no counterpart in torchtitan's"),
        (lambda: WSD(convention="titan", shape="square"), "shape", "is not one of linear, sqrt, cosine"),
        (lambda: WSD(convention="titan", warmup="5st", decay="60%"), "decay", "torchtitan shortens it with a warning"),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
