"""Optimizers that take the gradient at other weights than those that a run is judged by, as Schedule-Free ones do.

Beside ``step`` such an optimizer has two methods: ``train()`` puts the weights y into the model, at which it takes the
gradient, and ``eval()`` the weights x, which are evaluated. Here a run at rest between two updates holds x: what is
evaluated, saved, shown and loaded is x, and only the update itself is made at y.

The method computes each from the other, which costs a rounding. So y is kept beside the optimizer's own state, to the
last bit: when a run is evaluated or saved, and whether it is resumed, then changes nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from lrsched.errors import ConfigError

KEPT = "y"
"""The name of a parameter's y in the optimizer's state."""


def switches(optimizer: Optimizer | type) -> bool:
    """Whether an optimizer, or a class of them, holds two kinds of weights.

    >>> switches(torch.optim.SGD)
    False
    """
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


@torch.no_grad()
def begin(optimizer: Any) -> None:
    """Put y into the model, before an update."""
    optimizer.train()
    held = [(p, optimizer.state[p][KEPT]) for p in _parameters(optimizer) if KEPT in optimizer.state.get(p, {})]
    if held:
        torch._foreach_copy_(*map(list, zip(*held, strict=True)))  # type: ignore[reportPrivateImportUsage]


@torch.no_grad()
def rest(optimizer: Any) -> None:
    """Keep y, and put x into the model, after an update or one that failed."""
    for parameter in _parameters(optimizer):
        held = optimizer.state.get(parameter)
        if held:
            if KEPT in held:
                held[KEPT].copy_(parameter)
            else:
                held[KEPT] = parameter.detach().clone()
    optimizer.eval()


def check_switching(node: Any) -> None:
    """Refuse arguments of a Schedule-Free optimizer under which there is no x, or that hide the rate.

    Args:
        node: of the config, a ``Component``.

    Raises:
        ConfigError: names the argument.
    """
    given = node.arguments
    for name, value in (("momentum", given.get("momentum")), ("betas", (given.get("betas") or (None,))[0])):
        if value is not None and not 0 < value < 1:
            rule = "must be above 0 and below 1 (of betas the first): x is computed by its inverse"
            raise ConfigError(f"{node.key}.{name}", given[name], rule, "0.9 is usual")
    if steps := given.get("warmup_steps"):
        rule = "is a warm-up that no preview and no row of the run shows"
        raise ConfigError(f"{node.key}.warmup_steps", steps, rule, f"give scheduler.warmup={steps}st, the same ramp")


def require_same_average(before: Any, now: Any) -> None:
    """Refuse to change in the middle of a run how x follows from y and z.

    Args:
        before, now: nodes of the config, each a ``Component``.

    Raises:
        ConfigError: names the argument.
    """
    for name in ("momentum", "betas") if switches(now.cls) else ():
        if now.arguments.get(name) != before.arguments.get(name):
            rule = "changes what the average of the weights is made of"
            raise ConfigError(f"{now.key}.{name}", now.arguments.get(name), rule, "start a new run")


def _parameters(optimizer: Optimizer) -> list[torch.nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
