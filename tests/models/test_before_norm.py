"""The weights that our models say stand before a norm: their scale does not matter, and that of all others does."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

import lrsched.models
from lrsched.models.norms import in_a_row

SMALL = {"input_shape": (1, 8, 8), "classes": 3}
ONE_BY_ONE: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("CNN", {**SMALL, "channels": (4, 4), "hidden": 5, "dropout": 0.0}),
    "resnet9": ("ResNet9", {**SMALL, "width": 2}),
    "resnet18": ("ResNet18", {**SMALL, "width": 2}),
    "unet": ("UNet", {**SMALL, "width": 4, "depth": 1}),
    "unet, batch": ("UNet", {**SMALL, "width": 4, "depth": 1, "norm": "batch"}),
}
TOKENS = {"vocabulary": 11, "context": 6, "layers": 2, "heads": 2, "width": 8, "tie": False}
TOGETHER = {"learned": {**TOKENS, "positions": "learned"}, "rotary": {**TOKENS, "positions": "rotary"}}


def built(name: str, options: dict[str, Any]) -> Any:
    """The model, the ε of its norms lost beside any variance: then a factor of 2 before a norm changes no bit."""
    torch.manual_seed(0)
    model = getattr(lrsched.models, name)(**options)
    for module in model.modules():
        if hasattr(module, "eps"):
            module.eps = 1e-30
    return model


def scaled(model: nn.Module, names: Iterable[str], factor: float = 2.0) -> nn.Module:
    changed = deepcopy(model)
    with torch.no_grad():
        for name in names:
            changed.get_parameter(name).mul_(factor)
    return changed


@pytest.mark.parametrize("kind", ONE_BY_ONE)
def test_the_scale_of_each_changes_nothing_and_that_of_any_other_does(kind: str) -> None:
    model = built(*ONE_BY_ONE[kind])
    x = torch.rand(6, 1, 8, 8)
    wanted, named = model(x), model.before_norm()
    matrices = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    assert named
    for name in matrices:
        assert torch.equal(scaled(model, [name])(x), wanted) == (name in named), name


@pytest.mark.parametrize("positions", TOGETHER)
def test_what_a_decoder_adds_up_has_one_common_scale(positions: str) -> None:
    model = built("GPT", TOGETHER[positions])
    tokens = torch.randint(0, 11, (3, 6))
    wanted, named = model(tokens), model.before_norm()
    assert torch.equal(scaled(model, named)(tokens), wanted)
    others = {name for name, parameter in model.named_parameters() if parameter.ndim > 1} - named
    for name in sorted(others):
        assert not torch.allclose(scaled(model, [*named, name])(tokens), wanted), name
    for name in sorted(named):
        assert not torch.allclose(scaled(model, named - {name})(tokens), wanted, rtol=1e-6, atol=0), name


@pytest.mark.parametrize("options", [{"tie": True}, {"positions": "sinusoidal"}])
def test_a_decoder_that_reads_the_scale_names_none(options: dict[str, Any]) -> None:
    assert built("GPT", {**TOKENS, **options}).before_norm() == set()


def test_without_norms_there_are_none() -> None:
    assert built("CNN", {**ONE_BY_ONE["cnn"][1], "batch_norm": False}).before_norm() == set()


def test_a_bias_counts_before_a_norm_that_keeps_it() -> None:
    rows = [nn.Linear(2, 4), nn.LayerNorm(4), nn.Linear(4, 4, bias=False), nn.LayerNorm(4)]
    assert in_a_row(nn.Sequential(*rows)) == {"2.weight"}
    assert in_a_row(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))) == {"0.weight"}
