"""Greedy, by sequences worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lrsched.errors import ConfigError, NotFinite
from lrsched.horizon import Horizon
from lrsched.schedulers import Greedy

HORIZON = Horizon(steps=100, steps_per_epoch=10)
HALF = {"factor": 0.5, "smooth": False}


def optimizer(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr, "name": f"g{i}"} for i, lr in enumerate(rates)]
    return torch.optim.SGD(groups)


def rates(o: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] for group in o.param_groups]


def course(losses: list[float], rate: float = 1.0, **options: Any) -> list[float]:
    """The rate in force after each evaluation."""
    o = optimizer(rate)
    greedy = Greedy(o, HORIZON, **options)
    seen = []
    for step, loss in enumerate(losses, start=1):
        greedy.observe(step, {"val/loss": loss})
        greedy.set(step)
        seen += rates(o)
    return seen


def test_up_while_it_falls_and_down_when_not() -> None:
    # first: nothing to compare with; falls, falls, rises, equal, falls
    assert course([4.0, 3.0, 2.0, 5.0, 5.0, 1.0], **HALF) == [1.0, 2.0, 4.0, 2.0, 1.0, 2.0]


def test_more_is_better() -> None:
    assert course([1.0, 2.0, 1.0], mode="max", **HALF) == [1.0, 2.0, 1.0]


def test_patience_counts_evaluations_in_one_direction() -> None:
    # good, good: up; good, bad (the count of good ones is lost), bad: down; good, bad, bad: down
    losses = [9.0, 8.0, 7.0, 6.0, 7.0, 8.0, 7.0, 8.0, 9.0]
    assert course(losses, patience=1, **HALF) == [1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.5]


def test_smoothing_judges_the_mean_of_the_window() -> None:
    # means of at most two: 4, 3, 2.5, 2.5, 2: better, better, not, better, though the losses fall, rise, fall, fall
    assert course([4.0, 2.0, 3.0, 2.0, 2.0], factor=0.5, window=2) == [1.0, 2.0, 4.0, 2.0, 4.0]
    assert course([4.0, 2.0, 3.0, 2.0, 2.0], window=2, **HALF) == [1.0, 2.0, 1.0, 2.0, 1.0]


def test_the_papers_factor() -> None:
    assert course([2.0, 1.0, 3.0], smooth=False) == [1.0, 1 / 0.95, 1 / 0.95 * 0.95]


def test_bounds() -> None:
    falling, rising = [5.0, 4.0, 3.0, 2.0], [2.0, 3.0, 4.0, 5.0]
    assert course(falling, high=3.0, **HALF) == [1.0, 2.0, 3.0, 3.0]
    assert course(rising, final=0.3, **HALF) == [1.0, 0.5, 0.3, 0.3]
    assert course(rising, rate=2.0, final={"absolute": 0.75}, **HALF) == [2.0, 1.0, 0.75, 0.75]
    assert course(rising, rate=2.0, final={"absolute": 3.0}, **HALF) == [2.0] * 4  # a floor lifts nothing


def test_each_group_keeps_its_own_level() -> None:
    o = optimizer(1.0, 0.125)
    greedy = Greedy(o, HORIZON, **HALF)
    for step, loss in enumerate([2.0, 1.0], start=1):
        greedy.observe(step, {"val/loss": loss})
    greedy.set(3)
    assert rates(o) == [2.0, 0.25]


def test_warmup_comes_first_and_is_not_counted() -> None:
    o = optimizer(1.0)
    greedy = Greedy(o, HORIZON, warmup="4st", **HALF)
    seen = []
    for step in range(7):
        greedy.set(step)
        seen += rates(o)
        greedy.observe(step + 1, {"val/loss": 9.0 - step})
    assert seen == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 2.0]  # the evaluation after step 5 is the first to count


def test_state_goes_on_exactly() -> None:
    losses = [4.0, 3.0, 3.5, 3.5, 2.0, 1.0, 1.5, 1.25]
    whole = course(losses, patience=1, window=3)
    for stop in range(1, len(losses)):
        first, o = Greedy(optimizer(1.0), HORIZON, patience=1, window=3), optimizer(1.0)
        for step, loss in enumerate(losses[:stop], start=1):
            first.observe(step, {"val/loss": loss})
        second = Greedy(o, HORIZON, patience=1, window=3)
        second.load_state_dict(first.state_dict())
        seen = []
        for step, loss in enumerate(losses[stop:], start=stop + 1):
            second.observe(step, {"val/loss": loss})
            second.set(step)
            seen += rates(o)
        assert seen == whole[stop:]


def test_a_metric_that_is_missing_or_not_finite_is_an_error() -> None:
    with pytest.raises(NotFinite, match="val/loss is nan at step 5: Greedy cannot judge it"):
        Greedy(optimizer(1.0), HORIZON).observe(5, {"val/loss": float("nan")})
    with pytest.raises(ConfigError, match=r"^monitor=val/loss: is not a metric of an evaluation; known are: val/acc"):
        Greedy(optimizer(1.0), HORIZON).observe(5, {"val/accuracy": 0.5})


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"mode": "up"}, "mode"),
        ({"factor": 1.0}, "factor"),
        ({"factor": 0.0}, "factor"),
        ({"patience": -1}, "patience"),
        ({"smooth": 3}, "smooth"),
        ({"window": 0}, "window"),
        ({"high": 0.5}, "high"),
        ({"final": -0.1}, "final"),
        ({"warmup": "5"}, "warmup"),
    ],
)
def test_values_out_of_range_are_refused_by_name(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}="):
        Greedy(optimizer(1.0), HORIZON, **options)


def test_the_yaml_says_the_defaults(root: Path) -> None:
    node = yaml.safe_load((root / "conf" / "scheduler" / "greedy.yaml").read_text("utf-8"))
    assert node.pop("_target_") == "lrsched.schedulers.Greedy"
    assert node == Greedy.__init__.__kwdefaults__
