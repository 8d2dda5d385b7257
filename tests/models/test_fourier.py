"""Fourier: its formula, what trains, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from lrsched.errors import ConfigError
from lrsched.models import Fourier


def fourier(**more: Any) -> Fourier:
    torch.manual_seed(0)
    return Fourier((2,), outputs=3, **{"frequencies": 5, "hidden": [7], "sigma": 2.0, **more})


def test_it_is_its_formula() -> None:
    model = fourier()
    x = torch.rand(4, 2)
    weights = model.state_dict()
    angles = 2 * math.pi * torch.stack([(weights["B"] * each).sum(1) for each in x])
    waves = torch.cat([angles.cos(), angles.sin()], 1)
    hidden = (waves @ weights["network.body.0.weight"].T + weights["network.body.0.bias"]).relu()
    wanted = hidden @ weights["network.head.weight"].T + weights["network.head.bias"]
    torch.testing.assert_close(model(x), wanted)


def test_the_frequencies_are_saved_and_never_trained() -> None:
    model, other = fourier(), Fourier((2,), outputs=3, frequencies=5, hidden=[7])
    assert "B" not in dict(model.named_parameters())
    other.load_state_dict(model.state_dict())
    x = torch.rand(4, 2)
    assert torch.equal(other(x), model(x))


def test_sigma_is_their_standard_deviation() -> None:
    torch.manual_seed(0)
    drawn = Fourier((2,), outputs=1, frequencies=10_000, sigma=3.0, hidden=[1]).B
    assert drawn.shape == (10_000, 2)
    assert float(drawn.std()) == pytest.approx(3.0, rel=5 / math.sqrt(2 * drawn.numel()))
    assert torch.equal(fourier(sigma=4.0).B, 2 * fourier().B)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": 0.0}, "sigma=0.0: must be a finite number above 0"),
        ({"sigma": math.inf}, "sigma=inf: must be a finite number above 0"),
        ({"frequencies": 0}, "frequencies=0: must be a whole number of at least 1"),
        ({"hidden": [0]}, "hidden=[0]: must hold whole numbers of at least 1"),
    ],
    ids=["sigma 0", "sigma infinite", "frequencies", "hidden"],
)
def test_what_cannot_be_used_is_said(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        fourier(**arguments)
    assert str(error.value).startswith(message)
