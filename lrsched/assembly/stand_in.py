"""The model of a config without data and without memory: what parameter groups depend on."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from torch import nn

from lrsched.assembly.memory import Unfilled, few_modules
from lrsched.config.component import Component
from lrsched.errors import ConfigError, Stopped

SHAPES = ((3, 32, 32), (1, 28, 28), (3, 224, 224))
"""Pictures that a model is built for: of its parameters only names, order and dimensions count here."""

FACTS = {"classes": 10, "outputs": 10, "targets": 1, "vocabulary": 256, "context": 128}
"""What a model may ask for besides: these numbers count as little."""


def stand_in(node: Component[None]) -> nn.Module:
    """Build the model on the meta device, for pictures of the first of some common shapes that it takes.

    Raises:
        ConfigError: a value that cannot be used, or a model that takes none of these pictures.
    """
    found = None
    for device, shape in [*(("meta", shape) for shape in SHAPES), ("cpu", SHAPES[0])]:
        try:
            with few_modules(node), torch.device(device), Unfilled() if device == "meta" else nullcontext():
                return node.build_for({**FACTS, "input_shape": shape, "features": math.prod(shape)})
        except Stopped:
            raise
        except ConfigError as error:
            if error.key not in (node.key, f"{node.key}.input_shape"):
                raise
            found = error.rule
    rule = f"is needed for its parameter groups, and without data {found}"
    raise ConfigError(node.key, node.target, rule, "preview without optimizer.groups and optimizer.layer_decay")
