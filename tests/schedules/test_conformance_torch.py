"""Where PyTorch has the same curve, ours has its numbers without any convention, at random parameters.

Compared at each step with PyTorch's closed form, or where there is none with its scheduler stepped
(``CyclicLR`` and ``CosineAnnealingWarmRestarts`` compute each value from a counter).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim import lr_scheduler as torchs

from lrsched.horizon import Horizon
from lrsched.schedules import SGDR, Cosine, Cyclic, Exponential, Linear, MultiStep, Polynomial, Schedule, Step

quick = settings(max_examples=25, deadline=None)
steps_of_a_run = st.integers(2, 100)
rates = st.floats(1e-4, 10.0)
gammas = st.floats(0.05, 1.0)
floors = st.floats(0.0, 0.9)


def optimizer(lr: float) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def closed_form(make: Callable[[SGD], torchs.LRScheduler], lr: float, steps: int) -> list[float]:
    scheduler = make(optimizer(lr))
    values = []
    for t in range(steps):
        scheduler.last_epoch = t
        values.append(scheduler._get_closed_form_lr()[0])  # type: ignore[attr-defined]
    return values


def stepped(make: Callable[[SGD], torchs.LRScheduler], lr: float, steps: int) -> list[float]:
    sgd = optimizer(lr)
    scheduler = make(sgd)
    values = []
    for _ in range(steps):
        values.append(sgd.param_groups[0]["lr"])
        sgd.step()
        scheduler.step()
    return values


def same(schedule: Schedule, lr: float, theirs: list[float]) -> None:
    ours = schedule.table(Horizon(steps=len(theirs)), lr)["lr"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=0)


@quick
@given(steps=steps_of_a_run, lr=rates, every=st.integers(1, 40), gamma=gammas)
def test_step(steps: int, lr: float, every: int, gamma: float) -> None:
    same(Step(every=f"{every}st", gamma=gamma), lr, closed_form(lambda o: torchs.StepLR(o, every, gamma), lr, steps))


@quick
@given(steps=steps_of_a_run, lr=rates, milestones=st.sets(st.integers(1, 120), min_size=1, max_size=5), gamma=gammas)
def test_multistep(steps: int, lr: float, milestones: set[int], gamma: float) -> None:
    rising = sorted(milestones)
    theirs = closed_form(lambda o: torchs.MultiStepLR(o, rising, gamma), lr, steps)
    same(MultiStep(milestones=[f"{m}st" for m in rising], gamma=gamma), lr, theirs)


@quick
@given(steps=steps_of_a_run, lr=rates, gamma=gammas)
def test_exponential(steps: int, lr: float, gamma: float) -> None:
    theirs = closed_form(lambda o: torchs.ExponentialLR(o, gamma), lr, steps)
    same(Exponential(gamma=gamma, every="1st"), lr, theirs)


@quick
@given(steps=steps_of_a_run, lr=rates, floor=floors)
def test_cosine(steps: int, lr: float, floor: float) -> None:
    theirs = closed_form(lambda o: torchs.CosineAnnealingLR(o, steps, floor * lr), lr, steps)
    same(Cosine(final={"absolute": floor * lr}), lr, theirs)


@quick
@given(steps=steps_of_a_run, lr=rates, power=st.floats(0.2, 4.0))
def test_polynomial(steps: int, lr: float, power: float) -> None:
    theirs = closed_form(lambda o: torchs.PolynomialLR(o, steps, power), lr, steps)
    same(Polynomial(power=power), lr, theirs)


@quick
@given(steps=steps_of_a_run, lr=rates, final=floors)
def test_linear(steps: int, lr: float, final: float) -> None:
    theirs = closed_form(lambda o: torchs.LinearLR(o, 1.0, final, steps), lr, steps)
    same(Linear(final=final), lr, theirs)


@quick
@given(steps=steps_of_a_run, lr=rates, first=st.integers(1, 30), mult=st.integers(1, 4), floor=floors)
def test_warm_restarts(steps: int, lr: float, first: int, mult: int, floor: float) -> None:
    theirs = stepped(lambda o: torchs.CosineAnnealingWarmRestarts(o, first, mult, floor * lr), lr, steps)
    same(SGDR(first=f"{first}st", mult=mult, final={"absolute": floor * lr}), lr, theirs)


@quick
@given(
    steps=steps_of_a_run,
    lr=rates,
    low=st.floats(0.01, 1.0),
    up=st.integers(1, 20),
    down=st.integers(1, 20),
    mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
    gamma=st.floats(0.9, 1.0),
)
def test_cyclic(steps: int, lr: float, low: float, up: int, down: int, mode: str, gamma: float) -> None:
    def make(o: SGD) -> torchs.LRScheduler:
        return torchs.CyclicLR(o, low * lr, lr, up, down, mode, gamma, cycle_momentum=False)  # type: ignore[arg-type]

    schedule = Cyclic(low=low, up=f"{up}st", down=f"{down}st", mode=mode, gamma=gamma)
    same(schedule, lr, stepped(make, lr, steps))


@quick
@given(steps=steps_of_a_run, up=st.integers(1, 20), mode=st.sampled_from(["triangular", "triangular2", "exp_range"]))
def test_the_momentum_of_cyclic(steps: int, up: int, mode: str) -> None:
    sgd = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = torchs.CyclicLR(sgd, 0.1, 1.0, up, mode=mode, gamma=0.95, base_momentum=0.8, max_momentum=0.9)  # type: ignore[arg-type]
    theirs = []
    for _ in range(steps):
        theirs.append(sgd.param_groups[0]["momentum"])
        sgd.step()
        scheduler.step()
    schedule = Cyclic(up=f"{up}st", mode=mode, gamma=0.95, momentum=(0.8, 0.9))
    np.testing.assert_allclose(schedule.table(Horizon(steps=steps))["momentum"], theirs, rtol=1e-12, atol=0)
