"""``convention: timm`` is ``timm.scheduler`` as its factory builds it, updated at every step.

timm's schedulers are functions of the step, asked at every one and at T, T + 1 and 2T.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import Cosine, Linear, MultiStep, Polynomial, Schedule, Step, Tanh
from tests.schedules.conftest import GOLDEN, beyond, floors, gammas, quick, rates, runs, same

timm = partial(pytest.importorskip, "timm.scheduler", reason="the peer timm is not installed")
starts = st.floats(0.0, 1.0)


def theirs(name: str, lr: float, count: int, **options: Any) -> list[float]:
    """The values of updates 0 … ``count`` − 1, set by ``step_update`` before each."""
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = getattr(timm(), name)(sgd, t_in_epochs=False, warmup_prefix=False, **options)
    values = []
    for t in range(count):
        scheduler.step_update(t)
        values.append(sgd.param_groups[0]["lr"])
    return values


def preset(cls: type[Schedule], warm: int, start: float, **options: Any) -> Schedule:
    return cls(convention="timm", warmup=f"{warm}st", warmup_start=start, **options)


@quick
@given(run=runs, lr=rates, start=starts, floor=floors, k=st.floats(0.5, 3.0), power=st.floats(0.3, 3.0))
@example(run=(10, 3), lr=1.0, start=0.01, floor=0.0, k=1.0, power=0.5)
@example(run=(1000, 100), lr=0.1, start=0.01, floor=1e-5, k=1.0, power=0.5)
def test_cosine_polynomial_and_tanh(
    run: tuple[int, int], lr: float, start: float, floor: float, k: float, power: float
) -> None:
    steps, warm = run
    common = {"t_initial": steps, "lr_min": floor * lr, "warmup_t": warm, "warmup_lr_init": start * lr}
    final = {"absolute": floor * lr}
    same(preset(Cosine, warm, start, k=k, final=final), lr, theirs("CosineLRScheduler", lr, steps, k_decay=k, **common))
    polynomial = theirs("PolyLRScheduler", lr, steps, k_decay=k, power=power, **common)
    same(preset(Polynomial, warm, start, k=k, power=power, final=final), lr, polynomial, relative=1e-11)
    same(preset(Tanh, warm, start, final=final), lr, theirs("TanhLRScheduler", lr, steps, **common))
    tanh = theirs("TanhLRScheduler", lr, steps, lb=-4.0, ub=2.0, **common)
    same(preset(Tanh, warm, start, lower=-4, upper=2, final=final), lr, tanh)


@quick
@given(
    run=runs,
    lr=rates,
    start=starts,
    gamma=gammas,
    every=st.integers(1, 40),
    milestones=st.sets(st.integers(1, 120), min_size=1, max_size=5),
)
@example(run=(10, 3), lr=1.0, start=0.01, gamma=0.1, every=3, milestones={3, 6})
@example(run=(1000, 100), lr=0.1, start=0.0, gamma=0.1, every=300, milestones={100, 101, 999})
def test_step_and_multistep(
    run: tuple[int, int], lr: float, start: float, gamma: float, every: int, milestones: set[int]
) -> None:
    steps, warm = run
    common = {"decay_rate": gamma, "warmup_t": warm, "warmup_lr_init": start * lr}
    step = theirs("StepLRScheduler", lr, steps, decay_t=every, **common)
    same(preset(Step, warm, start, every=f"{every}st", gamma=gamma), lr, step)
    rising = sorted(milestones)
    multistep = theirs("MultiStepLRScheduler", lr, steps, decay_t=rising, **common)
    same(preset(MultiStep, warm, start, milestones=[f"{m}st" for m in rising], gamma=gamma), lr, multistep)


# --- the traps, with their numbers ------------------------------------------------------------------------------


def test_the_warmup_ends_in_a_jump() -> None:
    """T = 10, W = 3: from 2/3 up to 0.7939, where the cosine has been all the time; only tanh aims at its curve."""
    values = theirs("CosineLRScheduler", 1.0, 10, t_initial=10, warmup_t=3)
    assert values[2:4] == pytest.approx([2 / 3, (1 + np.cos(0.3 * np.pi)) / 2])
    assert values[3] == pytest.approx(0.7939, abs=5e-5)
    assert preset(Cosine, 3, 0.0).plan(Horizon(steps=10)).table()[2:4] == pytest.approx(values[2:4])
    tanh = theirs("TanhLRScheduler", 1.0, 10, t_initial=10, warmup_t=3, lb=-1.0, ub=1.0)
    assert tanh[2] == pytest.approx(tanh[3] * 2 / 3)


def test_multistep_cuts_one_step_early() -> None:
    """Milestones 3 and 6 cut at steps 2 and 5, where PyTorch and ours cut at 3 and 6."""
    values = theirs("MultiStepLRScheduler", 1.0, 8, decay_t=[3, 6], decay_rate=0.5)
    assert values == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    own = MultiStep(milestones=["3st", "6st"], gamma=0.5)
    assert own.plan(Horizon(steps=8)).table().tolist() == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(("steps", "warm"), GOLDEN)
def test_after_the_end(steps: int, warm: int) -> None:
    """At T, T + 1 and 2T timm is at lr_min; a tanh falls there from 0.0025 of the way. Ours holds step T − 1."""
    after = [steps, steps + 1, 2 * steps]
    for name, cls in (("CosineLRScheduler", Cosine), ("PolyLRScheduler", Polynomial), ("TanhLRScheduler", Tanh)):
        options = {"t_initial": steps, "lr_min": 0.1, "warmup_t": warm}
        values = theirs(name, 1.0, 2 * steps + 1, **options, **({"power": 2.0} if cls is Polynomial else {}))
        assert [values[t] for t in after] == [0.1] * 3
        assert beyond(preset(cls, warm, 0.0, final=0.1), steps) == pytest.approx([values[steps - 1]] * 3, rel=1e-12)
    stair = theirs("StepLRScheduler", 1.0, 2 * steps + 1, decay_t=steps // 2, decay_rate=0.5)
    assert [stair[t] for t in after] == [0.25, 0.25, 0.0625]
    assert beyond(Step(every="50%", gamma=0.5, convention="timm"), steps) == [0.5] * 3


@pytest.mark.parametrize(
    ("make", "key", "said"),
    [
        (lambda: Linear(convention="timm"), "convention", "timm has no Linear; conventions that have it: torch, hf"),
        (lambda: Cosine(convention="timm", power=2.0), "power", "has no counterpart in timm's Cosine"),
        (lambda: Step(convention="timm", final=0.1), "final", "has no counterpart in timm's Step"),
        (lambda: Tanh(convention="timm", warmup_shape="cosine"), "warmup_shape", "has no counterpart"),
    ],
)
def test_refusals(make: Callable[[], Schedule], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make().plan(Horizon(steps=10))
    assert caught.value.key == key
    assert said in str(caught.value)
