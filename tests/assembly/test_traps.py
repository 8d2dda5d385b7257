"""The 21 traps that the field's schedulers are known for, each by its number: ours does not step into it.

Where PyTorch itself is at hand the test first shows that the trap is there.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import lrsched as package
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers import Table
from lrsched.schedules import SGDR, Absolute, Cosine, Linear, MultiStep, OneCycle, Product, Schedule, Sequence, Step
from lrsched.schedules.lint import cautions
from tests.helpers.cli import TINY


def optimizer(*rates: float, **options: Any) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (1.0,)]
    return torch.optim.SGD(groups, **options)


def rates(o: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in o.param_groups]


def theirs(scheduler: Any, steps: int) -> float:
    """PyTorch's rate after so many step() calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(steps):
            scheduler.step()
    return rates(scheduler.optimizer)[0]


def table(schedule: Schedule, steps: int, peak: float = 1.0) -> np.ndarray:
    return peak * schedule.plan(Horizon(steps), peak).table()


def test_01_one_cycle_does_not_rebound_at_its_end() -> None:
    o = optimizer(momentum=0.9)
    assert theirs(lr_scheduler.OneCycleLR(o, 1.0, total_steps=10), 10) == pytest.approx(0.0495, abs=1e-4)
    plan = OneCycle().plan(Horizon(10))
    assert plan[10] == plan[11] == plan[9] < plan[8]


@pytest.mark.parametrize("steps", [2, 3, 10])
@pytest.mark.parametrize("rise", ["0%", "10%", "30%", "100%"])
def test_02_one_cycle_has_no_corner_in_which_it_fails(rise: str, steps: int) -> None:
    if steps == 10 and rise == "10%":
        with pytest.raises(ZeroDivisionError):
            lr_scheduler.OneCycleLR(optimizer(momentum=0.9), 1.0, total_steps=10, pct_start=0.1)
    values = table(OneCycle(rise=rise), steps)
    assert np.isfinite(values).all()
    assert values.max() <= 1.0
    rising = round(float(rise[:-1]) / 100 * steps)
    assert values[0] == pytest.approx(1 / 25 if rising else 1.0, rel=1e-14)


def test_02_one_cycle_keeps_each_groups_own_rate_and_refuses_what_never_anneals() -> None:
    o = optimizer(1e-3, 1e-4, momentum=0.9)
    Table(o, OneCycle(), Horizon(10)).set(0)
    assert rates(o) == pytest.approx([1e-3 / 25, 1e-4 / 25], rel=1e-14)
    with pytest.raises(ConfigError, match="rise"):
        OneCycle(three_phase=True, rise="60%").plan(Horizon(10))


@pytest.mark.parametrize(("mult", "restart"), [(10, 1110), (3, 1210)])
def test_03_restarts_are_not_missed_by_a_logarithm(mult: int, restart: int) -> None:
    o = optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(o, 10, mult)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        scheduler.step(restart)
    assert rates(o)[0] < 0.01
    plan = SGDR(first="10st", mult=mult).plan(Horizon(2 * restart))
    assert plan[restart] == 1.0
    assert plan[restart - 1] < 0.01


def test_04_a_value_needs_no_history() -> None:
    """Step 24 of cycles 10 + 20: 14 of 20 into the second one."""
    expected = (1 + math.cos(math.pi * 14 / 20)) / 2
    assert SGDR(first="10st", mult=2).plan(Horizon(70))[24] == pytest.approx(expected, rel=1e-15)
    o = optimizer()
    scheduler = package.LRScheduler(o, SGDR(first="10st", mult=2), Horizon(70))
    scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": 24})
    assert rates(o)[0] == pytest.approx(expected, rel=1e-15)


def test_05_milestones_30_0_are_refused_with_what_pytorch_would_have_done(run_cli) -> None:
    assert rates(lr_scheduler.MultiStepLR(optimizer(), [30, 0]).optimizer) == [0.1]
    with pytest.raises(ConfigError, match="PyTorch accepts this and applies gamma at construction"):
        MultiStep(milestones=[30, 0])
    ended = run_cli(*TINY, "scheduler=torch/MultiStepLR", "scheduler.milestones=[30,0]")
    assert (ended.code, "PyTorch accepts this" in ended.err) == (2, True)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_06_07_the_clock_is_the_update_whatever_is_accumulated(run_cli, accumulate: int) -> None:
    ended = run_cli(
        *TINY, f"trainer.accumulate={accumulate}", "trainer.steps=8", "trainer.log_every=1st", "name=run",
        "scheduler=torch/ExponentialLR", "scheduler.interval=step", "scheduler.gamma=0.5", "optimizer.lr=1.0",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    seen = [row["lr/default"] for row in ended.rows() if "lr/default" in row]
    assert seen == [0.5**t for t in range(8)]


@pytest.mark.parametrize("first", ["optimizer", "scheduler"])
def test_08_the_order_of_restoring_does_not_matter(first: str) -> None:
    o = optimizer(momentum=0.9)
    scheduler = package.LRScheduler(o, Linear(), Horizon(10))
    for _ in range(5):
        o.step()
        scheduler.step()
    saved = {"optimizer": o.state_dict(), "scheduler": scheduler.state_dict()}
    fresh = optimizer(momentum=0.9)
    if first == "optimizer":
        fresh.load_state_dict(saved["optimizer"])
    restored = package.LRScheduler(fresh, Linear(), Horizon(10))
    restored.load_state_dict(saved["scheduler"])
    if first == "scheduler":
        fresh.load_state_dict(saved["optimizer"])
    assert rates(fresh) == rates(o) == [0.5]
    fresh.step()
    restored.step()
    assert rates(fresh) == [0.4]


def test_09_a_worse_negative_metric_is_no_improvement() -> None:
    """In full in tests/schedulers/test_plateau.py, with the small rate and the NaN."""
    from lrsched.schedulers import Plateau

    plateau = Plateau(optimizer(), Horizon(10), patience=0, threshold=0.1)
    for metric in (-1.0, -0.95):
        plateau.observe(1, {"val/loss": metric})
    assert plateau.state_dict()["best"] == -1.0


def test_10_a_changed_argument_is_never_ignored(run_cli) -> None:
    o = optimizer()
    scheduler = package.LRScheduler(o, Linear(), Horizon(100))
    scheduler.load_state_dict(package.LRScheduler(optimizer(), Linear(), Horizon(10)).state_dict() | {"last_epoch": 5})
    assert rates(o) == [1 - 5 / 100]  # the arguments of the new one count; PyTorch takes the old ones
    assert run_cli(*TINY, "name=run").code == 0
    ended = run_cli("resume=outputs/run", "scheduler.final=0.5")
    assert (ended.code, "scheduler.final=0.5: the run was started with 0.0" in ended.err) == (2, True)


def test_11_a_floor_lies_below_each_groups_own_peak() -> None:
    o = optimizer(1e-3, 1e-4, 1e-5)
    Table(o, Linear(final=0.05), Horizon(10)).set(5)
    assert rates(o) == pytest.approx([rate * (1 + 0.05) / 2 for rate in (1e-3, 1e-4, 1e-5)], rel=1e-15)
    (caution,) = cautions(Linear(final=Absolute(5e-5)), Horizon(10), 1e-5)
    assert "the rate rises to 5 times it" in caution


@pytest.mark.parametrize("warmup", ["0st", "5st"])
def test_12_nothing_bounces_after_the_end(warmup: str) -> None:
    assert theirs(lr_scheduler.CosineAnnealingLR(optimizer(), 10), 20) == pytest.approx(1.0)
    plan = Cosine(warmup=warmup).plan(Horizon(20))
    assert {plan[t] for t in (20, 21, 40, 1000)} == {plan[19]}


def test_13_groups_added_later_follow() -> None:
    o = optimizer()
    lambdas = lr_scheduler.LambdaLR(o, lambda t: 1 - t / 10)
    o.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
    with pytest.raises(ValueError, match="zip"):
        theirs(lambdas, 1)
    mine = optimizer()
    scheduler = package.LRScheduler(mine, Linear(), Horizon(10))
    mine.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
    mine.step()
    scheduler.step()
    assert rates(mine) == [0.9, 0.1 * 0.9]


def test_14_zero_lengths_are_nothing_or_refused() -> None:
    assert theirs(lr_scheduler.LinearLR(optimizer(), 0.1, 1.0, 0), 9) == pytest.approx(0.1)  # for ever
    assert table(Linear(warmup="0st"), 4).tolist() == [1.0, 0.75, 0.5, 0.25]
    with pytest.raises(ConfigError, match="every=0st"):
        Step(every="0st").plan(Horizon(4))


def test_15_a_rate_in_float32_does_not_drift() -> None:
    """The table is float64 and closed; what is rounded is the single value, never a running product."""
    steps = 100_000
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(0.1))
    scheduler = package.LRScheduler(o, Cosine(final=0.1), Horizon(steps))
    expected = 0.1 * (0.1 + 0.9 * (1 + math.cos(math.pi * (steps - 1) / steps)) / 2)
    scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": steps - 1})
    assert o.param_groups[0]["lr"].item() == np.float32(expected)


def test_16_a_product_is_the_product() -> None:
    """Warm-up 0.1 → 1 over 10 steps times a cosine to 0.1 over 20, at step 5 of 20: PyTorch's chain is off there."""
    ramp = Linear(warmup="10st", warmup_start=0.1, final=1.0)
    product = Product(factors=[ramp, Cosine(final=0.1)]).plan(Horizon(20))
    cosine = 0.1 + 0.9 * (1 + math.cos(math.pi * 4 / 20)) / 2
    assert product[4] == pytest.approx((0.1 + 0.9 * 5 / 10) * cosine, rel=1e-15)


@pytest.mark.parametrize("override", ["torch/StepLR scheduler.step_size=2.5", "step scheduler.every=2.5st"])
def test_17_lengths_that_are_not_whole_are_refused(run_cli, override: str) -> None:
    name, value = override.split()
    ended = run_cli(*TINY, f"scheduler={name}", value)
    assert (ended.code, "whole number" in ended.err) == (2, True)


@pytest.mark.parametrize("bare", [1, 1.0, 0.5, "1", "0.5"])
def test_18_no_unit_is_guessed_from_the_size_of_a_number(bare: Any) -> None:
    with pytest.raises(ConfigError, match="a duration carries its unit"):
        Linear(warmup=bare).plan(Horizon(100))


def test_19_a_milestone_fires_at_its_step() -> None:
    values = table(MultiStep(milestones=["3st", "6st"]), 8)
    assert values.tolist() == pytest.approx([1.0] * 3 + [0.1] * 3 + [0.01] * 2, rel=1e-15)


def test_20_every_group_reaches_its_own_end() -> None:
    o = optimizer(1e-3, 1e-4)
    scheduler = Table(o, Linear(final=0.1), Horizon(1000))
    scheduler.set(999)
    assert rates(o) == pytest.approx([1e-3 * (1 - 0.9 * 0.999), 1e-4 * (1 - 0.9 * 0.999)], rel=1e-13)


def test_21_nested_sequences_keep_their_clocks() -> None:
    """A line up for 4 steps and a stair of 3 after it, alone and as the first and as a later part of another."""
    stair = Step(every="3st", gamma=0.5, warmup="4st", warmup_start=0.1)
    inner = table(stair, 8)
    assert inner.tolist() == pytest.approx([0.325, 0.55, 0.775, 1.0, 1.0, 1.0, 1.0, 0.5], rel=1e-15)
    first = Sequence(parts=[{"length": "8st", "schedule": stair}, {"length": "rest", "schedule": Linear()}])
    later = Sequence(parts=[{"length": "4st", "schedule": Linear()}, {"length": "rest", "schedule": stair}])
    nested = Sequence(parts=[{"length": "8st", "schedule": first}, {"length": "rest", "schedule": Linear()}])
    assert table(first, 12)[:8].tolist() == inner.tolist()
    assert table(later, 12)[4:].tolist() == inner.tolist()
    assert table(nested, 12)[:8].tolist() == inner.tolist()
