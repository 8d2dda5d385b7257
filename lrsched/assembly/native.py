"""PyTorch's schedulers, and anybody's in their form: from a node to an instance."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from torch.optim import Optimizer

from lrsched.assembly.kinds import LENGTHS
from lrsched.config.component import Component
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER, construct, trusted
from lrsched.config.walk import leaves
from lrsched.errors import ConfigError
from lrsched.schedulers.expression import Expression


def build_native(node: Component[Any], optimizer: Optimizer, length: int) -> Any:
    """An instance of a class in PyTorch's form, its children first.

    Args:
        node: of the scheduler, or of a child.
        optimizer: of the run.
        length: of the part of the run that it drives, in its interval; ``auto`` stands for it.

    Raises:
        ConfigError: a value that cannot be used, or one that PyTorch would accept and misread.
    """
    if "milestones" in node.arguments:
        _check_milestones(node.arguments["milestones"], f"{node.key}.milestones")
    arguments: dict[str, Any] = {}
    for name, value in node.arguments.items():
        key = f"{node.key}.{name}"
        if name == "schedulers" and isinstance(value, list):
            arguments[name] = _children(node, key, optimizer, length)
        elif name == "lr_lambda":
            arguments[name] = _functions(value, key, length)
        elif value == "auto":
            arguments[name] = length
        else:
            if name in LENGTHS and value is not None:
                _check_length(value, key)
            arguments[name] = value
    return construct(SCHEDULER, node.cls, arguments, node.key, optimizer=optimizer)


def depends_on_length(node: Component[Any]) -> bool:
    """Whether the length of the run is in what it sets: by ``auto``, or by the T of an expression."""
    found = leaves(node.arguments)
    return any(value == "auto" or ("lr_lambda" in key and re.search(r"\bT\b", str(value))) for key, value in found)


def _children(node: Component[Any], key: str, optimizer: Optimizer, length: int) -> list[Any]:
    """The children of a composite; those of a SequentialLR last from their milestone to the next one."""
    children = node.arguments["schedulers"]
    marks = [0, *(node.arguments.get("milestones") or [0] * (len(children) - 1)), length]
    built = []
    for i, child in enumerate(children):
        if not isinstance(child, Mapping) or "_target_" not in child:
            raise ConfigError(f"{key}[{i}]", child, "must be a mapping with a _target_")
        part = max(1, marks[i + 1] - marks[i]) if "milestones" in node.arguments and i + 1 < len(marks) else length
        built.append(build_native(component(SCHEDULER, child, f"{key}[{i}]"), optimizer, part))
    return built


def _functions(value: Any, key: str, length: int) -> Any:
    """One function of t, or one for each parameter group."""
    if isinstance(value, list):
        return [_function(item, f"{key}[{i}]", length) for i, item in enumerate(value)]
    return _function(value, key, length)


def _function(value: Any, key: str, length: int) -> Callable[..., Any]:
    name, _, attribute = str(value).rpartition(".")
    if name and any(str(value).startswith(home + ".") for home in trusted()):
        function = getattr(importlib.import_module(name), attribute, None)
        if not callable(function):
            raise ConfigError(key, value, f"there is no function {attribute} in {name}")
        return function
    try:
        function = Expression(str(value), length)
        for t in range(0, length + 1, 1 + length // 1000):  # all of a short run, a thousand points of a long one
            if function(t) < 0:
                raise ConfigError(key, value, f"gives {function(t):.3g} at t={t}, and a rate is never negative")
    except ConfigError as error:
        raise ConfigError(key, value, error.rule, error.remedy) from error
    return function


def _check_milestones(milestones: Any, key: str) -> None:
    whole = isinstance(milestones, list) and all(type(m) is int for m in milestones)
    if not whole:
        raise ConfigError(
            key, milestones, "milestones are whole numbers", "PyTorch accepts others, and then never reaches them"
        )
    if any(m < 1 for m in milestones) or any(b <= a for a, b in pairwise(milestones)):
        raise ConfigError(
            key,
            milestones,
            "milestones are at least 1 and each is greater than the one before",
            "PyTorch accepts this: it applies a milestone of 0 before the first step, and with unsorted ones a "
            "SequentialLR runs its last scheduler throughout",
        )


def _check_length(value: Any, key: str) -> None:
    if type(value) is not int or value < 1:
        raise ConfigError(
            key,
            value,
            "must be a whole number, at least 1",
            "PyTorch accepts others, and then changes the rate at other steps, or never",
        )
