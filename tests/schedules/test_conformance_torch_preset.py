"""``convention: torch`` is torch.optim.lr_scheduler, stepped after every update, warm-up and all.

And what PyTorch does after the end, at T, T + 1 and 2T, where ours holds the value of step T − 1.
Most of PyTorch's classes multiply from step to step and gather roundings: 1e-11 is asked of those, and
1e-10 of the cosine, which multiplies by ratios of small differences. The others get 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim import lr_scheduler as torchs

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import (
    SGDR,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
)
from tests.schedules.conftest import GOLDEN, beyond, floors, gammas, quick, rates, runs, same

Make = Callable[[SGD], torchs.LRScheduler]
starts = st.floats(0.01, 1.0)


def stepped(make: Make, lr: float, steps: int, column: str = "lr") -> list[float]:
    """The values that updates 0 … steps − 1 train with."""
    sgd = SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = make(sgd)
    values = []
    for t in range(steps):
        values.append(sgd.param_groups[0][column])
        sgd.step()
        if t < steps - 1:
            scheduler.step()
    return values


def warmed(make: Make, warm: int, start: float, shape: str = "linear") -> Make:
    """The scheduler after a LinearLR or ConstantLR in a SequentialLR, as PyTorch's users write it."""
    if not warm:
        return make

    def build(o: SGD) -> torchs.LRScheduler:
        ramp = torchs.LinearLR(o, start, 1.0, warm) if shape == "linear" else torchs.ConstantLR(o, start, warm)
        return torchs.SequentialLR(o, [ramp, make(o)], [warm])

    return build


def preset(cls: type[Schedule], warm: int, start: float, **options: Any) -> Schedule:
    return cls(convention="torch", warmup=f"{warm}st", warmup_start=start, **options)


CURVES: dict[str, Callable[[int, float, float], tuple[type[Schedule], dict[str, Any], Make]]] = {
    # of steps after the warm-up, a floor and a gamma
    "constant": lambda n, f, g: (Constant, {}, lambda o: torchs.ConstantLR(o, 1.0, 1)),
    "linear": lambda n, f, g: (Linear, {"final": f}, lambda o: torchs.LinearLR(o, 1.0, f, n)),
    "polynomial": lambda n, f, g: (Polynomial, {"power": 1 + g}, lambda o: torchs.PolynomialLR(o, n, 1 + g)),
    "step": lambda n, f, g: (Step, {"every": "3st", "gamma": g}, lambda o: torchs.StepLR(o, 3, g)),
    "multistep": lambda n, f, g: (
        MultiStep,
        {"milestones": ["2st", "7st"], "gamma": g},
        lambda o: torchs.MultiStepLR(o, [2, 7], g),
    ),
    "exponential": lambda n, f, g: (Exponential, {"every": "1st", "gamma": g}, lambda o: torchs.ExponentialLR(o, g)),
}


@pytest.mark.parametrize("curve", CURVES)
@quick
@given(run=runs, lr=rates, start=starts, shape=st.sampled_from(["linear", "constant"]), floor=floors, gamma=gammas)
@example(run=(10, 3), lr=1.0, start=1 / 3, shape="linear", floor=0.1, gamma=0.5)
@example(run=(1000, 100), lr=0.1, start=0.1, shape="linear", floor=0.0, gamma=0.99)
def test_after_a_linear_lr(
    curve: str, run: tuple[int, int], lr: float, start: float, shape: str, floor: float, gamma: float
) -> None:
    steps, warm = run
    cls, options, make = CURVES[curve](steps - warm, floor, gamma)
    assume(gamma ** (steps - warm) > 1e-200)  # a denormal has not the digits to compare
    theirs = stepped(warmed(make, warm, start, shape), lr, steps)
    same(preset(cls, warm, start, warmup_shape=shape, **options), lr, theirs, relative=1e-11)


@quick
@given(run=runs, lr=rates, start=starts, floor=floors)
@example(run=(10, 3), lr=1.0, start=1 / 3, floor=0.1)
@example(run=(1000, 100), lr=0.1, start=0.1, floor=0.0)
def test_cosine(run: tuple[int, int], lr: float, start: float, floor: float) -> None:
    steps, warm = run
    theirs = stepped(warmed(lambda o: torchs.CosineAnnealingLR(o, steps - warm, floor * lr), warm, start), lr, steps)
    same(preset(Cosine, warm, start, final={"absolute": floor * lr}), lr, theirs, relative=1e-10)


@quick
@given(run=runs, lr=rates, start=starts, first=st.integers(1, 30), mult=st.integers(1, 4), floor=floors)
@example(run=(1000, 100), lr=0.1, start=0.1, first=7, mult=10, floor=0.0)
def test_warm_restarts(run: tuple[int, int], lr: float, start: float, first: int, mult: int, floor: float) -> None:
    steps, warm = run
    make = warmed(lambda o: torchs.CosineAnnealingWarmRestarts(o, first, mult, floor * lr), warm, start)
    schedule = preset(SGDR, warm, start, first=f"{first}st", mult=mult, final={"absolute": floor * lr})
    same(schedule, lr, stepped(make, lr, steps))


def test_exponential_is_stepped_once_in_each_every() -> None:
    """PyTorch's users step ExponentialLR at the end of an epoch: a stair."""
    by_epoch = stepped(lambda o: torchs.ExponentialLR(o, 0.5), 1.0, 3)
    same(Exponential(gamma=0.5, every="2st", convention="torch"), 1.0, [v for v in by_epoch for _ in range(2)])


@quick
@given(
    steps=st.integers(1, 120),
    lr=rates,
    rise=st.integers(0, 100),
    start=st.floats(0.001, 1.0),
    end=st.floats(0.0001, 0.5),
    anneal=st.sampled_from(["cosine", "linear"]),
    three_phase=st.booleans(),
)
@example(steps=10, lr=1.0, rise=30, start=0.04, end=4e-6, anneal="cosine", three_phase=False)
@example(steps=10, lr=1.0, rise=30, start=0.04, end=4e-6, anneal="linear", three_phase=True)
@example(steps=1000, lr=0.1, rise=30, start=0.04, end=4e-6, anneal="cosine", three_phase=True)
@example(steps=2, lr=1.0, rise=30, start=0.04, end=4e-6, anneal="cosine", three_phase=False)  # from mid-curve
@example(steps=10, lr=1.0, rise=0, start=0.04, end=4e-6, anneal="cosine", three_phase=False)  # at 0.9755
@example(steps=10, lr=1.0, rise=60, start=0.04, end=4e-6, anneal="cosine", three_phase=True)  # never annealed
def test_one_cycle(steps: int, lr: float, rise: int, start: float, end: float, anneal: str, three_phase: bool) -> None:
    assume(rise / 100 * steps != 1)  # there PyTorch divides by 0
    schedule = OneCycle(
        convention="torch",
        rise=f"{rise}%",
        start=start,
        end=end * start,
        anneal=anneal,
        three_phase=three_phase,
    )

    def make(o: SGD) -> torchs.LRScheduler:
        return torchs.OneCycleLR(
            o,
            lr,
            steps,
            pct_start=rise / 100,
            anneal_strategy="cos" if anneal == "cosine" else "linear",
            div_factor=1 / start,
            final_div_factor=1 / end,
            three_phase=three_phase,
        )

    same(schedule, lr, stepped(make, lr, steps))
    same(schedule, lr, stepped(make, lr, steps, "momentum"), column="momentum")


@quick
@given(steps=st.integers(1, 120), lr=rates, low=starts, up=st.integers(1, 20), down=st.integers(1, 20))
def test_cyclic(steps: int, lr: float, low: float, up: int, down: int) -> None:
    def make(o: SGD) -> torchs.LRScheduler:
        return torchs.CyclicLR(o, low * lr, lr, up, down, "triangular2", base_momentum=0.8, max_momentum=0.9)

    schedule = Cyclic(
        convention="torch", low=low, up=f"{up}st", down=f"{down}st", mode="triangular2", momentum=(0.8, 0.9)
    )
    same(schedule, lr, stepped(make, lr, steps))
    same(schedule, lr, stepped(make, lr, steps, "momentum"), column="momentum")


# --- after the end: PyTorch's values at T, T + 1 and 2T ------------------------------------------------


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_what_is_at_its_end_stays_there(steps: int, warm: int) -> None:
    """Theirs falls once more, to the value that ours tends to, and stays; ours holds that of step T − 1."""
    n = steps - warm
    for cls, options, make, last, end in (
        (Linear, {"final": 0.1}, lambda o: torchs.LinearLR(o, 1.0, 0.1, n), 0.1 + 0.9 / n, 0.1),
        (Polynomial, {"power": 1.0}, lambda o: torchs.PolynomialLR(o, n), 1 / n, 0.0),
    ):
        theirs = stepped(warmed(make, warm, 0.5), 1.0, 2 * steps + 1)
        np.testing.assert_allclose([theirs[t] for t in (steps, steps + 1, 2 * steps)], [end] * 3, rtol=1e-10)
        np.testing.assert_allclose(beyond(preset(cls, warm, 0.5, **options), steps), [last] * 3, rtol=1e-12)


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_cosine_bounces(steps: int, warm: int) -> None:
    """CosineAnnealingLR is at its end at T, rises again at T + 1, and is back at the peak after another T − W."""
    n = steps - warm
    theirs = stepped(warmed(lambda o: torchs.CosineAnnealingLR(o, n), warm, 0.5), 1.0, 2 * steps + 1)
    once_more = (1 - np.cos(np.pi / n)) / 2
    np.testing.assert_allclose(theirs[steps : steps + 2], [0.0, once_more], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(theirs[steps + n], 1.0, rtol=1e-9)
    np.testing.assert_allclose(theirs[2 * steps], (1 - np.cos(np.pi * steps / n)) / 2, rtol=1e-9)
    # One step before and one after its end, the wave is at the same height: that is what ours holds.
    np.testing.assert_allclose(beyond(preset(Cosine, warm, 0.5), steps), [once_more] * 3, rtol=1e-9)


def test_one_cycle_rebounds_at_T_and_refuses_one_step_late() -> None:
    """The trap: step T = 10 trains at 0.0495 where the run ended at 0.000004; only T + 1 is refused."""
    make: Make = lambda o: torchs.OneCycleLR(o, 1.0, 10)  # noqa: E731
    theirs = stepped(make, 1.0, 11)
    assert theirs[9:] == pytest.approx([4e-6, 0.049518], rel=1e-4)
    with pytest.raises(ValueError, match="Tried to step 11 times"):
        stepped(make, 1.0, 12)
    assert beyond(OneCycle(convention="torch"), 10) == pytest.approx([4e-6] * 3)


def test_what_goes_on_for_ever_goes_on() -> None:
    """Stairs, cycles and restarts have no end: theirs falls or turns on at T = 10, ours stays."""
    after = [10, 11, 20]
    for schedule, make, theirs in (
        (Step(every="5st", gamma=0.5, convention="torch"), lambda o: torchs.StepLR(o, 5, 0.5), [0.25, 0.25, 0.0625]),
        (Exponential(every="1st", gamma=0.5, convention="torch"), lambda o: torchs.ExponentialLR(o, 0.5), None),
        (
            SGDR(first="10st", convention="torch"),
            lambda o: torchs.CosineAnnealingWarmRestarts(o, 10),
            [1.0, (1 + np.cos(np.pi / 10)) / 2, 1.0],
        ),
        (
            Cyclic(low=0.5, up="5st", convention="torch"),
            lambda o: torchs.CyclicLR(o, 0.5, 1.0, 5, cycle_momentum=False),
            [0.5, 0.6, 0.5],
        ),
    ):
        values = stepped(make, 1.0, 21)
        expected = [0.5**t for t in after] if theirs is None else theirs
        np.testing.assert_allclose([values[t] for t in after], expected, rtol=1e-12)
        np.testing.assert_allclose(beyond(schedule, 10), [values[9]] * 3, rtol=1e-12)


# --- what PyTorch does not have, or not like this --------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: Cosine(convention="torch", power=2.0), "power", "has no counterpart in PyTorch's Cosine"),
        (lambda: Step(convention="torch", final=0.1), "final", "give final=0.0, or convention=null"),
        (lambda: Cosine(convention="torch", warmup="3st"), "warmup_start", "wants a start_factor above 0"),
        (
            lambda: Cosine(convention="torch", warmup="3st", warmup_start=0.1, warmup_shape="cosine"),
            "warmup_shape",
            "is not one of linear, constant",
        ),
        (lambda: SGDR(convention="torch", mult=1.5), "mult", "whole number of at least 1"),
        (lambda: OneCycle(convention="torch", rise="1st"), "rise", "divides by rise − 1"),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
