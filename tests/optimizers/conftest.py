"""Shared by the tests of the optimizers: the shipped YAMLs, and a small model with seeded gradients."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

CONF = Path(__file__).parents[2] / "conf" / "optimizer"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


class Lab:
    """A model, its parameter groups, an optimizer from a YAML, and updates with known gradients."""

    @staticmethod
    def arguments(name: str) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        """The class that a YAML names and the arguments that it gives it, the reserved keys taken out."""
        config: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
        for other in config.pop("defaults", []):
            below: Any = {} if other == "_self_" else OmegaConf.to_container(OmegaConf.load(CONF / f"{other}.yaml"))
            config = below | config
        module, _, target = config.pop("_target_").rpartition(".")
        reserved = {key: config.pop(key) for key in ("no_decay", "layer_decay", "corrected_decay", "groups")}
        corrected = "auto" if name == "adamc" else None
        assert reserved == {"no_decay": True, "layer_decay": None, "corrected_decay": corrected, "groups": {}}
        return getattr(importlib.import_module(module), target), config

    @staticmethod
    def net() -> nn.Module:
        """A convolution, a norm and a matrix: parameters of 4, 1 and 2 dimensions."""
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5))

    @staticmethod
    def groups(model: nn.Module) -> list[dict[str, Any]]:
        """The groups of a run: weights with decay, biases and norms without."""
        params = list(model.parameters())
        return [
            {"params": [p for p in params if p.ndim > 1], "name": "default"},
            {"params": [p for p in params if p.ndim <= 1], "name": "no_decay", "weight_decay": 0.0},
        ]

    def build(self, name: str, model: nn.Module, **changed: Any) -> torch.optim.Optimizer:
        target, given = self.arguments(name)
        return target(self.groups(model), **given | changed)

    @staticmethod
    def train(model: nn.Module, step: Callable[[], object], updates: range = range(10)) -> None:
        """Updates with gradients that depend on the update alone."""
        for update in updates:
            generator = torch.Generator().manual_seed(update)
            for param in model.parameters():
                param.grad = torch.randn(param.shape, generator=generator)
            step()

    @staticmethod
    def same(first: nn.Module, second: nn.Module) -> bool:
        """Whether all parameters agree bit for bit."""
        pairs = zip(first.parameters(), second.parameters(), strict=True)
        return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each optimizer of conf/optimizer in turn."""
    return request.param


@pytest.fixture
def conf() -> Path:
    return CONF
