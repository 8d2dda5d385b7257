"""Our plateau against PyTorch's, value for value, and where PyTorch's is wrong."""

from __future__ import annotations

import random

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrsched.errors import ConfigError, NotFinite
from lrsched.horizon import Horizon
from lrsched.schedulers import Plateau
from lrsched.schedulers.base import Advice

HORIZON = Horizon(steps=100, steps_per_epoch=10)


def optimizer(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr, "name": f"g{i}"} for i, lr in enumerate(rates)]
    return torch.optim.SGD(groups)


def rates(o: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] for group in o.param_groups]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("seed", range(10))
def test_equals_pytorch_value_for_value_for_metrics_above_0(mode: str, threshold_mode: str, seed: int) -> None:
    draw = random.Random(seed)
    options = {
        "mode": mode,
        "threshold_mode": threshold_mode,
        "factor": draw.choice([0.1, 0.5, 0.9]),
        "patience": draw.randrange(4),
        "threshold": draw.choice([0.0, 1e-4, 0.1]),
        "cooldown": draw.randrange(3),
    }
    mine, theirs = optimizer(0.1, 0.03), optimizer(0.1, 0.03)
    ours, torchs = Plateau(mine, HORIZON, **options), ReduceLROnPlateau(theirs, eps=0.0, **options)
    for step in range(1, 60):
        metric = draw.uniform(0.1, 1.0)
        ours.observe(step, {"val/loss": metric})
        ours.set(step)
        torchs.step(metric)
        assert rates(mine) == rates(theirs)


def test_a_cut_follows_after_patience_plus_one_bad_evaluations() -> None:
    o = optimizer(1.0)
    plateau = Plateau(o, HORIZON, patience=2, factor=0.5)
    seen = []
    for step in range(1, 8):
        plateau.observe(step, {"val/loss": 1.0})
        plateau.set(step)
        seen += rates(o)
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]  # best, bad, bad, bad: cut, bad, bad, bad: cut


def test_a_worse_negative_metric_is_not_an_improvement() -> None:
    """PyTorch takes −0.95 for better than −1.0 under a relative threshold of 0.1 (trap 9)."""
    o = optimizer(1.0)
    plateau = Plateau(o, HORIZON, patience=0, threshold=0.1)
    for metric in (-1.0, -0.95):
        plateau.observe(1, {"val/loss": metric})
    assert plateau.state_dict()["best"] == -1.0

    theirs = ReduceLROnPlateau(optimizer(1.0), patience=0, threshold=0.1)
    for metric in (-1.0, -0.95):
        theirs.step(metric)
    assert theirs.best == -0.95


def test_a_very_small_rate_is_still_cut() -> None:
    """PyTorch's eps keeps a rate of 1e-8 for ever (trap 9)."""
    o = optimizer(1e-8)
    plateau = Plateau(o, HORIZON, patience=0)
    for step in (1, 2):
        plateau.observe(step, {"val/loss": 1.0})
    plateau.set(3)
    assert rates(o) == [1e-8 * 0.1]


@pytest.mark.parametrize("metric", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_that_is_not_finite_is_an_error(metric: float) -> None:
    with pytest.raises(NotFinite, match="at step 5"):
        Plateau(optimizer(1.0), HORIZON).observe(5, {"val/loss": metric})


def test_floors_are_ratios_of_each_groups_own_peak_or_absolute() -> None:
    for final, expected in ((0.5, [0.5, 0.05]), ({"absolute": 0.08}, [0.08, 0.08])):
        o = optimizer(1.0, 0.1)
        plateau = Plateau(o, HORIZON, patience=0, factor=0.01, final=final)
        for step in (1, 2):
            plateau.observe(step, {"val/loss": 1.0})
        plateau.set(3)
        assert rates(o) == expected


def test_warmup_comes_first_and_is_not_counted() -> None:
    o = optimizer(1.0)
    plateau = Plateau(o, HORIZON, patience=0, warmup="4st")
    seen = []
    for step in range(6):
        plateau.set(step)
        seen += rates(o)
        plateau.observe(step + 1, {"val/loss": 1.0})
    assert seen == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]  # the evaluations after steps 5 and 6 are the first to count
    plateau.set(6)
    assert rates(o) == [0.1]


def test_smoothing_judges_the_mean_of_the_last_evaluations() -> None:
    o = optimizer(1.0)
    plateau = Plateau(o, HORIZON, patience=0, smooth=2, threshold=0.0)
    for metric in (4.0, 2.0, 3.0):  # means 4, 3, 2.5: always better, though the last is worse than the one before
        plateau.observe(1, {"val/loss": metric})
    plateau.set(1)
    assert rates(o) == [1.0]


def test_backtrack_asks_to_keep_the_best_and_to_return_to_it() -> None:
    plateau = Plateau(optimizer(1.0), HORIZON, patience=1, backtrack=True)
    advice = [plateau.observe(s, {"val/loss": loss}) for s, loss in enumerate((1.0, 0.5, 0.6, 0.7), start=1)]
    assert advice == [Advice.KEEP, Advice.KEEP, Advice.NOTHING, Advice.RETURN]


def test_state_goes_on_exactly() -> None:
    a, b = optimizer(1.0), optimizer(1.0)
    first, second = Plateau(a, HORIZON, patience=2), Plateau(b, HORIZON, patience=2)
    for step in (1, 2, 3):
        first.observe(step, {"val/loss": 1.0})
    second.load_state_dict(first.state_dict())
    for plateau, o in ((first, a), (second, b)):
        plateau.observe(4, {"val/loss": 1.0})
        plateau.set(4)
        assert rates(o) == [0.1]


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"factor": 1.0}, "factor"),
        ({"factor": 0.0}, "factor"),
        ({"patience": -1}, "patience"),
        ({"cooldown": -1}, "cooldown"),
        ({"threshold": -1.0}, "threshold"),
        ({"smooth": 0}, "smooth"),
        ({"final": -0.1}, "final"),
        ({"warmup": "5"}, "warmup"),
    ],
)
def test_values_out_of_range_are_refused_by_name(options: dict, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}="):
        Plateau(optimizer(1.0), HORIZON, **options)
