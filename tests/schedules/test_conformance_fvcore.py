"""Where fvcore has the same curve, ours has its numbers, without any convention: where = t/T in [0, 1).

And what fvcore does at where = 1 and beyond, which ours never comes to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.horizon import Horizon
from lrsched.schedules import Constant, Cosine, Exponential, Linear, MultiStep, Polynomial
from tests.schedules.conftest import floors, gammas, quick, rates, same

fvcore = partial(pytest.importorskip, "fvcore.common.param_scheduler", reason="the peer fvcore is not installed")
lengths = st.integers(1, 120)


def sequence(schedule: Callable[[float], float], steps: int) -> list[float]:
    return [schedule(t / steps) for t in range(steps)]


@quick
@given(steps=lengths, lr=rates, final=floors, power=st.floats(0.3, 4.0))
def test_smooth_curves(steps: int, lr: float, final: float, power: float) -> None:
    same(Constant(), lr, sequence(fvcore().ConstantParamScheduler(lr), steps))
    same(Linear(final=final), lr, sequence(fvcore().LinearParamScheduler(lr, final * lr), steps))
    same(Cosine(final=final), lr, sequence(fvcore().CosineParamScheduler(lr, final * lr), steps))
    same(Polynomial(power=power), lr, sequence(fvcore().PolynomialDecayParamScheduler(lr, power), steps))


@quick
@given(steps=lengths, lr=rates, left=st.floats(0.001, 0.99))
def test_exponential(steps: int, lr: float, left: float) -> None:
    """fvcore's decay is what is left at the end of the run, as our ``final`` alone."""
    same(Exponential(final=left), lr, sequence(fvcore().ExponentialParamScheduler(lr, left), steps))


@quick
@given(steps=lengths, lr=rates, gamma=gammas, milestones=st.sets(st.integers(1, 119), min_size=1, max_size=4))
def test_multistep(steps: int, lr: float, gamma: float, milestones: set[int]) -> None:
    rising = [m for m in sorted(milestones) if m < steps]
    if not rising:
        return
    values = [lr * gamma**n for n in range(len(rising) + 1)]
    theirs = fvcore().MultiStepParamScheduler(values, milestones=rising, num_updates=steps)
    same(MultiStep(milestones=[f"{m}st" for m in rising], gamma=gamma), lr, sequence(theirs, steps))


def test_at_the_end_and_beyond() -> None:
    """The traps: where = 1 is an error, 1.1 a complex number, and 2 the peak again."""
    with pytest.raises(RuntimeError):
        fvcore().ConstantParamScheduler(1.0)(1.0)
    with pytest.raises(IndexError):
        fvcore().StepParamScheduler(10, [1.0, 0.1])(1.0)
    assert isinstance(fvcore().PolynomialDecayParamScheduler(1.0, 0.5)(1.1), complex)
    bounce: Any = fvcore().CosineParamScheduler(1.0, 0.0)
    assert [bounce(1.0), bounce(1.1), bounce(2.0)] == pytest.approx([0.0, (1 - math.cos(0.1 * math.pi)) / 2, 1.0])
    for schedule in (Constant(), MultiStep(milestones=["5st"]), Polynomial(power=0.5), Cosine()):
        plan = schedule.plan(Horizon(steps=10))
        assert plan.at([10, 11, 20]).tolist() == [plan[9]] * 3
