"""Parameter groups from the config: which parameters train with which rate and which weight decay.

A group's name says what it is, in the order of what was decided about it: the layer, where layers have
rates of their own; its name in ``optimizer.groups``; ``no_decay``. What is none of these is ``default``::

    default      no_decay      head      head/no_decay      layer0      layer0/no_decay      layer0/head

Weights before a norm, where their decay is corrected, are the part ``normalised``: ``normalised``, ``head/normalised``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import nn
from torch.optim import SGD, Optimizer

from lrsched.config import schema
from lrsched.config.component import Component
from lrsched.config.settings import NORMALISED
from lrsched.errors import ConfigError, nearest
from lrsched.optimizers.lean import without_dynamo

CORRECTED = "corrected"
"""The key of a parameter group whose decay follows the rate."""

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""Modules that only hold others."""

_KEY = "optimizer.corrected_decay"


def build_optimizer(node: Component[schema.OptimizerConfig], model: nn.Module) -> Optimizer:
    """The optimizer on the model's parameter groups, by layer, by name and by weight decay as the config says.

    Raises:
        ConfigError: a value that cannot be used, or a decay to correct that there is not.
    """
    own = node.own
    groups = parameter_groups(
        model,
        spare=own.no_decay and bool(node.arguments.get("weight_decay")),
        rate=node.arguments.get("lr", 0.0),
        layer_decay=own.layer_decay,
        named=own.groups,
        corrected=before_norm(model, own.corrected_decay),
    )
    with without_dynamo():
        if own.corrected_decay is not None:
            _require_decoupled(node)
        optimizer = node.build(params=groups)
    if own.corrected_decay is not None:
        _require_decay(optimizer, own.corrected_decay)
    return optimizer


def parameter_groups(
    model: nn.Module,
    *,
    spare: bool,
    rate: float = 0.0,
    layer_decay: float | None = None,
    named: Mapping[str, schema.ParameterGroup] = MappingProxyType({}),
    corrected: Collection[str] = (),
) -> list[dict[str, Any]]:
    """The parameter groups of a model, each with a name of its own.

    Args:
        model: parameters that need no gradient are left out, and so are those of a group with ``freeze``.
        spare: keep vectors and scalars (biases, norms) from weight decay, but for those of a named
            group with a weight decay of its own.
        rate: ``optimizer.lr``.
        layer_decay: the rate of each layer (see :func:`layers`), from the output downwards, is that of
            the layer above it times this; but for named groups with a rate of their own.
        named: groups by name; a parameter belongs to the first whose expression matches its whole name.
        corrected: names of the parameters whose decay follows the rate, unless they are kept from it.

    Raises:
        ConfigError: nothing to train, or a named group that no parameter belongs to.
    """
    frozen: set[str] = set()
    level = layers(model) if layer_decay is not None else {}
    top = max(level.values(), default=0)
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        label = group_of(name, named)
        if label is not None and named[label].freeze:
            frozen.add(label)
            continue
        if not parameter.requires_grad:
            continue
        own = schema.ParameterGroup() if label is None else named[label]
        rated = own.lr is not None or own.lr_scale is not None
        spared = spare and own.weight_decay is None and parameter.ndim < 2
        scale = None if layer_decay is None or rated else layer_decay ** (top - level[name])
        part = "no_decay" if spared else NORMALISED if name in corrected else None
        words = [None if scale is None else f"layer{level[name]}", label, part]
        full = "/".join(word for word in words if word) or "default"
        group = groups.setdefault(full, {"params": [], "name": full})
        group["params"].append(parameter)
        scale = own.lr_scale if scale is None else scale
        if own.lr is not None:
            group["lr"] = float(own.lr)
        elif scale is not None:
            group["lr"] = rate * scale
        if spared:
            group["weight_decay"] = 0.0
        elif own.weight_decay is not None:
            group["weight_decay"] = float(own.weight_decay)
        if part == NORMALISED:
            group[CORRECTED] = True
    _refuse_empty(model, groups, named, frozen)
    return sorted(groups.values(), key=lambda group: group["name"].endswith("no_decay"))


def group_of(name: str, named: Mapping[str, schema.ParameterGroup]) -> str | None:
    """The named group that a parameter belongs to: the first whose expression matches its whole name."""
    return next((label for label, group in named.items() if re.fullmatch(group.params, name)), None)


def before_norm(model: nn.Module, word: str | None) -> Collection[str]:
    """The weights whose decay is to be corrected, since a norm takes away their scale.

    Args:
        model: names them by a method ``before_norm``, which gives a set of names, if it knows them.
        word: ``auto``: those; or a regular expression of whole names; None: there are none.

    Raises:
        ConfigError: the model names none, or the expression matches none.
    """
    if word is None:
        return ()
    weights = [name for name, _ in model.named_parameters()]
    if word != "auto":
        found = {name for name in weights if re.fullmatch(word, name)}
        if not found:
            raise ConfigError(_KEY, word, "matches the whole name of no parameter", nearest(word, weights))
        return found
    told: Callable[[], Collection[str]] | None = getattr(model, "before_norm", None)
    found = [] if told is None else list(told())
    if strangers := [name for name in found if name not in weights]:
        rule = f"{type(model).__name__}.before_norm() names {strangers[0]}, which is none of its parameters"
        raise ConfigError(_KEY, word, rule, nearest(strangers[0], weights))
    if not found:
        shown = ", ".join([name for name, parameter in model.named_parameters() if parameter.ndim > 1][:3])
        rule = f"{type(model).__name__} names no weights before a norm; its first are {shown or 'none'}"
        raise ConfigError(_KEY, word, rule, "if there are any, give a regular expression of their whole names")
    return found


def _require_decoupled(node: Component[schema.OptimizerConfig]) -> None:
    """Refuse an optimizer under which a weight without a gradient does not shrink by lr·λ of itself.

    SGD adds the decay to the gradient; as nothing divides that, it is one all the same (the paper's SGDC).
    """
    weight = nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    weight.grad = torch.zeros_like(weight)
    optimizer: Any = node.build(params=[weight])
    if isinstance(optimizer, SGD):
        return
    if callable(getattr(optimizer, "train", None)):
        optimizer.train()
    optimizer.step()
    group = optimizer.param_groups[0]
    wanted = float(group["lr"]) * float(group.get("weight_decay", 0.0))
    if abs((1 - weight) - wanted).max() > 1e-3 * wanted:
        rule = f"wants a decay that acts on the weights themselves, and {node.cls.__name__}'s goes through its division"
        raise ConfigError(_KEY, node.own.corrected_decay, rule, "take optimizer=adamc, adamw, muon or sgd")


def _require_decay(optimizer: Optimizer, word: str) -> None:
    """Refuse to correct a decay of nothing."""
    found = [group for group in optimizer.param_groups if group.get(CORRECTED)]
    if not found:
        rule = "names only what does not decay: biases and norms, or groups that are frozen"
        raise ConfigError(_KEY, word, rule, "name the weights of layers, as in '.*conv.*weight'")
    if not any(group.get("weight_decay") for group in found):
        raise ConfigError(_KEY, word, "there is no weight decay to correct", "give optimizer.weight_decay=0.1")


def freeze(model: nn.Module, named: Mapping[str, schema.ParameterGroup]) -> nn.Module:
    """Take the gradient from the parameters of the groups with ``freeze``; return the model."""
    for name, parameter in model.named_parameters():
        label = group_of(name, named)
        if label is not None and named[label].freeze:
            parameter.requires_grad_(False)
    return model


def layers(model: nn.Module) -> dict[str, int]:
    """The layer of each parameter by name, 0 at the input, in the order in which the model holds its parts.

    Its parts are its children; a child that is only a container (Sequential, ModuleList, ModuleDict) is
    opened, once; another child that holds all parameters is what the model wraps, and stands for it. Parts
    without parameters do not count; parts with nothing but vectors (norms) belong to the layer before them;
    parameters of the model itself (a class token) belong to layer 0. A model that knows better has a method
    ``layer_numbers`` that gives this mapping.

    >>> layers(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.ReLU(), nn.Linear(2, 1, bias=False)))
    {'0.weight': 0, '0.bias': 0, '1.weight': 0, '1.bias': 0, '3.weight': 1}
    """
    if (told := getattr(model, "layer_numbers", None)) is not None:
        return cast("Callable[[], dict[str, int]]", told)()
    inner, above = _unwrapped(model)
    level = dict.fromkeys([f"{above}{name}" for name, _ in inner.named_parameters(recurse=False)], 0)
    number = -1
    for prefix, part in _parts(inner, above):
        parameters = list(part.named_parameters(prefix))
        if number < 0 or any(parameter.ndim >= 2 for _, parameter in parameters):
            number += bool(parameters)
        for name, _ in parameters:
            level.setdefault(name, number)
    return level


def _unwrapped(model: nn.Module, above: str = "") -> tuple[nn.Module, str]:
    """What a model wraps that holds all its parameters, and what stands before their names."""
    children = list(model.named_children())
    if len(children) == 1 and not model._parameters:
        ((name, child),) = children
        if type(child) not in CONTAINERS and list(child.children()):
            return _unwrapped(child, f"{above}{name}.")
    return model, above


def _parts(model: nn.Module, above: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in model.named_children():
        if type(child) in CONTAINERS:
            yield from ((f"{above}{name}.{inner}", part) for inner, part in child.named_children())
        else:
            yield f"{above}{name}", child


def _refuse_empty(
    model: nn.Module, groups: Mapping[str, Any], named: Mapping[str, schema.ParameterGroup], frozen: set[str]
) -> None:
    """Every named group has a parameter, and so has the optimizer."""
    if not groups:
        rule = "has no parameters to train"
        remedy = f"optimizer.groups freezes {', '.join(sorted(frozen))}: freeze less" if frozen else ""
        raise ConfigError("model", type(model).__name__, rule, remedy)
    held = frozen | {word for name in groups for word in name.split("/")}
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    for label, group in named.items():
        if label in held:
            continue
        before = any(re.fullmatch(group.params, name) for name in trained)
        rule = "an earlier group has all that it matches" if before else "matches the whole name of no parameter"
        remedy = "order them from the narrowest to the widest" if before else nearest(group.params, trained)
        raise ConfigError(f"optimizer.groups.{label}.params", group.params, rule, remedy)


def rates_of(optimizer: Optimizer) -> set[float]:
    """The rates of the groups, as long as no scheduler has set others."""
    return {float(group["lr"]) for group in optimizer.param_groups}
