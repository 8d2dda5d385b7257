"""Native schedulers step where a hand-written PyTorch loop steps them: equal to the last bit."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from lrsched.errors import ConfigError, NotFinite
from lrsched.horizon import Horizon
from lrsched.schedulers.native import Native

STEPS_PER_EPOCH = 3
HORIZON = Horizon(steps=18, steps_per_epoch=STEPS_PER_EPOCH)

BUILDERS: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (1 + t)]),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.95),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 4], 0.1),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.3, 2),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.87),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 5, 2.0),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 6, 1e-3),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 2, mode="triangular2"),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, [0.1, 0.2], total_steps=18),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 2), lr_scheduler.StepLR(o, 2)], [2]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.1, 2), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "SWALR": lambda o: SWALR(o, 0.05, 4),
}


def optimizer() -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.03)]
    return torch.optim.SGD(groups, momentum=0.9)


def values(o: torch.optim.Optimizer) -> list[tuple[float, float]]:
    return [(group["lr"], group["momentum"]) for group in o.param_groups]


def update(o: torch.optim.Optimizer) -> None:
    for group in o.param_groups:
        group["params"][0].grad = torch.ones(1)
    o.step()


def bare_loop(build: Callable[[torch.optim.Optimizer], Any], interval: str) -> list[list[tuple[float, float]]]:
    """What PyTorch's documentation writes: update, and step() after each batch or each epoch."""
    o = optimizer()
    scheduler = build(o)
    seen = []
    for s in range(HORIZON.steps):
        seen.append(values(o))
        update(o)
        if interval == "step" or (s + 1) % STEPS_PER_EPOCH == 0:
            scheduler.step()
    return seen


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", BUILDERS)
def test_every_class_at_both_intervals_equals_a_bare_loop(name: str, interval: Any) -> None:
    o = optimizer()
    native = Native(BUILDERS[name](o), interval, STEPS_PER_EPOCH)
    seen = []
    for s in range(HORIZON.steps):
        native.set(s)
        native.set(s)  # an update that is tried again
        seen.append(values(o))
        update(o)
    assert seen == bare_loop(BUILDERS[name], interval)


def test_the_list_above_is_complete() -> None:
    public = {
        name
        for name in lr_scheduler.__all__
        if isinstance(getattr(lr_scheduler, name), type) and name not in ("LRScheduler", "_LRScheduler")
    }
    assert public - set(BUILDERS) == {"ReduceLROnPlateau"}


@pytest.mark.parametrize("interval", ["epoch", "evaluation"])
def test_plateau_sees_the_metric_of_each_evaluation(interval: Any) -> None:
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.5]
    o, bare = optimizer(), optimizer()
    native = Native(lr_scheduler.ReduceLROnPlateau(o, patience=1), interval, STEPS_PER_EPOCH)
    scheduler = lr_scheduler.ReduceLROnPlateau(bare, patience=1)
    for epoch, loss in enumerate(losses, start=1):
        native.observe(epoch * STEPS_PER_EPOCH, {"val/loss": loss})
        scheduler.step(loss)
        assert values(o) == values(bare)
    assert o.param_groups[0]["lr"] == 0.1 * 0.1


def test_plateau_at_interval_epoch_passes_over_evaluations_inside_an_epoch() -> None:
    o = optimizer()
    native = Native(lr_scheduler.ReduceLROnPlateau(o, patience=0), "epoch", STEPS_PER_EPOCH)
    for step in (1, 2):
        native.observe(step, {"val/loss": 1.0})
    assert native.inner.last_epoch == 0
    native.observe(3, {"val/loss": 1.0})
    assert native.inner.last_epoch == 1


def test_plateau_refuses_interval_step_and_metrics_that_are_not_finite() -> None:
    o = optimizer()
    with pytest.raises(ConfigError, match=r"interval=step: ReduceLROnPlateau steps on a metric"):
        Native(lr_scheduler.ReduceLROnPlateau(o), "step", 3)
    native = Native(lr_scheduler.ReduceLROnPlateau(o), "evaluation", 3)
    with pytest.raises(NotFinite, match="nan at step 3"):
        native.observe(3, {"val/loss": float("nan")})
    with pytest.raises(ConfigError, match="is not a metric"):
        native.observe(3, {"val/accuracy": 0.5})


@pytest.mark.parametrize("name", [n for n in BUILDERS if n not in ("LambdaLR", "MultiplicativeLR")])
@pytest.mark.parametrize("at", [1, 4, 9])
def test_resume_at_any_step_goes_on_exactly(name: str, at: int) -> None:
    """Build the scheduler, load the optimizer, load the scheduler: the one right order."""
    o = optimizer()
    native = Native(BUILDERS[name](o), "step", STEPS_PER_EPOCH)
    for s in range(at):
        native.set(s)
        update(o)
    saved = io.BytesIO()
    torch.save({"o": o.state_dict(), "s": copy.deepcopy(native.state_dict())}, saved)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)

    fresh = optimizer()
    resumed = Native(BUILDERS[name](fresh), "step", STEPS_PER_EPOCH)
    fresh.load_state_dict(state["o"])
    resumed.load_state_dict(state["s"])
    for s in range(at, HORIZON.steps):
        for scheduler, mine in ((native, o), (resumed, fresh)):
            scheduler.set(s)
            update(mine)
        assert values(fresh) == values(o)
