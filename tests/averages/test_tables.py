"""Averages of the weights as tables: against formulas, and torch's own averages to the last bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import lrsched.averages
from lrsched.averages import Ema, Lawa, Swa, Wsm
from lrsched.averages.base import Average
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.train.averaging import Averaged

STEPS = 24
HORIZON = Horizon(STEPS, steps_per_epoch=4, samples_per_step=8)


def walk(steps: int = STEPS) -> list[nn.Module]:
    """A model after each of some updates."""
    torch.manual_seed(3)
    model, models = nn.Linear(3, 2), []
    for _ in range(steps):
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.1 * torch.randn_like(weight)
        models.append(deepcopy(model))
    return models


def averaged(average: Average, models: Sequence[nn.Module], horizon: Horizon = HORIZON) -> nn.Module:
    found = Averaged(average, average.table(horizon), models[0])
    for place, model in enumerate(models):
        found.update(model, place)
    return found.model


def vector(model: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def mean(weights: Sequence[float], models: Sequence[nn.Module]) -> torch.Tensor:
    """The weighted mean, in float64."""
    total = sum(w * vector(model).double() for w, model in zip(weights, models, strict=True))
    assert isinstance(total, torch.Tensor)
    return total / sum(weights)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_a_moving_average_is_torchs_to_the_last_bit(decay: float) -> None:
    models = walk()
    theirs = AveragedModel(models[0], multi_avg_fn=get_ema_multi_avg_fn(decay))
    for model in models:
        theirs.update_parameters(model)
    ours = averaged(Ema(decay=decay, warmup=False), models)
    assert torch.equal(vector(ours), vector(theirs.module))


def test_swa_is_torchs_mean_of_the_same_weights_to_the_last_bit() -> None:
    models = walk()
    theirs = AveragedModel(models[0])
    for model in models[15::2]:  # after 16, 18, …, 24 updates; 24 · 62.5 % = 15
        theirs.update_parameters(model)
    ours = averaged(Swa(start="62.5%", every="2st"), models)
    assert torch.equal(vector(ours), vector(theirs.module))


def test_the_warmup_of_a_decay() -> None:
    table = Ema(decay=0.7).table(Horizon(30))
    assert table[0] == 1
    assert table[1:].tolist() == [1 - min(0.7, (1 + s) / (10 + s)) for s in range(1, 30)]


@pytest.mark.parametrize("share", [5, 10, 50])
def test_what_lies_a_half_life_back_weighs_half(share: int) -> None:
    """By the weights that the recursion gives: c_s · Π_{j>s} (1 − c_j)."""
    steps = 2000
    table = Ema(half_life=f"{share}%").table(Horizon(steps))
    kept = np.cumprod(np.append(1 - table[1:], 1.0)[::-1])[::-1]
    older = kept[: round(steps * (1 - share / 100))]  # all weight of θ_s, s < (1 − h)·t, adds up to this
    assert older[-1] == pytest.approx(0.5, rel=1e-9)


def test_a_half_life_in_steps() -> None:
    table = Ema(half_life="8sp").table(HORIZON)  # 8 samples are a step
    assert table.tolist() == [1.0] + [0.5] * (STEPS - 1)
    assert Ema(half_life="1ep").table(HORIZON)[1] == 1 - 0.5 ** (1 / 4)


def test_a_half_life_of_half_the_past_is_the_mean() -> None:
    models = walk()
    assert torch.allclose(
        vector(averaged(Ema(half_life="50%"), models)).double(), mean([1.0] * STEPS, models), atol=1e-6
    )


def test_the_latest_weights_are_a_window() -> None:
    models = walk()
    found = averaged(Lawa(last=3, every="1ep"), models)
    assert torch.allclose(vector(found).double(), mean([1, 1, 1], [models[i] for i in (15, 19, 23)]), atol=1e-6)
    early = averaged(Lawa(last=3, every="1ep"), models[:9])
    assert torch.allclose(vector(early).double(), mean([1, 1], [models[i] for i in (3, 7)]), atol=1e-6)


SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "sqrt": lambda x: 1 - math.sqrt(x),
    "square": lambda x: 1 - x**2,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_merge_weighs_moves_as_the_decay_does(shape: Any) -> None:
    """θ_0 + Σ_j w_j·(θ_j − θ_{j−1}) with w_j = f(j/(k + 1))."""
    models, k = walk(), 4
    found = averaged(Wsm(window="12st", merges=k, shape=shape), models)
    taken = [vector(models[i]).double() for i in (11, 14, 17, 20, 23)]
    wanted = taken[0] + sum(SHAPES[shape](j / (k + 1)) * (taken[j] - taken[j - 1]) for j in range(1, k + 1))
    assert torch.allclose(vector(found).double(), wanted, atol=1e-6)


def test_a_merge_of_a_constant_rate_stands_for_the_decay_to_first_order() -> None:
    """SGD on quadratics: the difference to the linear decay that it stands for falls with the square of the rate."""
    curvature, steps, tail = torch.tensor([1.0, 0.3, 0.05], dtype=torch.float64), 60, 20
    start = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)

    def train(rates: Sequence[float]) -> list[torch.Tensor]:
        theta, path = start.clone(), []
        for rate in rates:
            theta = theta - rate * curvature * theta
            path.append(theta)
        return path

    def difference(rate: float) -> tuple[float, float]:
        constant = train([rate] * steps)
        decayed = train([rate] * (steps - tail) + [rate * (1 - j / (tail + 1)) for j in range(1, tail + 1)])
        weights = Wsm(window=f"{tail}st", merges=tail).table(Horizon(steps))
        merged = sum((w * theta for w, theta in zip(weights.tolist(), constant, strict=True)), torch.zeros(3).double())
        return float((merged - decayed[-1]).norm()), float((constant[-1] - decayed[-1]).norm())

    (first, undecayed), (second, _) = difference(1e-3), difference(5e-4)
    assert first / second == pytest.approx(4, rel=0.05)
    assert first < undecayed / 100


def test_the_weights_of_a_merge_add_up_to_one() -> None:
    for shape in ("linear", "cosine", "sqrt", "square", "mirror_cosine"):
        assert Wsm(merges=7, shape=shape).weights().sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("name", [name for name in dir(lrsched.averages) if name not in ("Average", "Mean")])
@pytest.mark.parametrize("steps", [50, 100, 101])
def test_every_average_ends_with_weights_and_counts_from_its_start(name: str, steps: int) -> None:
    average = getattr(lrsched.averages, name)()
    table = average.table(Horizon(steps, steps_per_epoch=5))
    assert table.shape == (steps,)
    assert table.dtype == np.float64
    assert np.isfinite(table).all()
    assert (table >= 0).all()
    assert table[-1] > 0
    assert (average.mean.value != "moving") or (table <= 1).all()


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Ema(decay=1.0), "decay"),
        (lambda: Ema(decay=-0.1), "decay"),
        (lambda: Ema(half_life="100%"), "half_life"),
        (lambda: Ema(half_life="0st"), "half_life"),
        (lambda: Ema(half_life="7"), "half_life"),
        (lambda: Ema(renew=-1), "renew"),
        (lambda: Lawa(last=0), "last"),
        (lambda: Lawa(every="0st").table(HORIZON), "every"),
        (lambda: Swa(every="0ep").table(HORIZON), "every"),
        (lambda: Swa(start="100%").table(HORIZON), "start"),
        (lambda: Swa(start="24st").table(HORIZON), "start"),
        (lambda: Wsm(merges=0), "merges"),
        (lambda: Wsm(shape="exponential"), "shape"),
        (lambda: Wsm(window="8st", merges=9).table(HORIZON), "window"),
        (lambda: Wsm(window="100%", merges=2).table(HORIZON), "window"),
    ],
)
def test_what_is_no_average_is_refused(make: Callable[[], object], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.key == key
