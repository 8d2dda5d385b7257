"""PyTorch's schedulers, and anybody's in their form: from a node to an instance."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, CyclicLR, OneCycleLR, SequentialLR

from lrsched.assembly.horizon import lengths
from lrsched.assembly.kinds import LENGTHS, instead_of_duration
from lrsched.assembly.shares import share_averaging_rate, shared_out
from lrsched.config.component import Component
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER, check_arguments, construct, trusted
from lrsched.config.walk import leaves
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers.expression import Expression
from lrsched.schedulers.native import nested

MOST = 10**5
"""Steps for which a class is tried out: a few seconds."""

COMPOSITES = (SequentialLR, ChainedScheduler)


@dataclass(frozen=True)
class Span:
    """The part of a run that a scheduler drives, counted in its interval.

    Args:
        length: of that part.
        an_epoch: of an epoch.
    """

    length: int
    an_epoch: int


def span_of(horizon: Horizon, evaluations: int, interval: str) -> Span:
    """The whole run."""
    length = lengths(horizon, evaluations)
    an_epoch = {"step": horizon.steps_per_epoch, "epoch": 1}.get(interval, -(-evaluations // length["epoch"]))
    return Span(length[interval], an_epoch)


def build_native(node: Component[Any], span: Span, optimizer: Optimizer, shares: Sequence[float] | None = None) -> Any:
    """An instance of a class in PyTorch's form, its children first.

    Args:
        node: of the scheduler, or of a child.
        span: the part of the run that it drives; ``auto`` stands for its length.
        optimizer: of the run.
        shares: of the parameter groups in ``optimizer.lr``; None: each has the whole of it.

    Raises:
        ConfigError: a value that cannot be used, or one that PyTorch would accept and misread.
    """
    if "milestones" in node.arguments:
        _check_milestones(node.arguments["milestones"], f"{node.key}.milestones", node.cls)
    arguments: dict[str, Any] = {}
    for name, value in with_lengths(node, span).items():
        key = f"{node.key}.{name}"
        if name == "schedulers" and isinstance(value, list):
            arguments[name] = [build_native(child, part, optimizer, shares) for child, part in children(node, span)]
        elif name == "lr_lambda":
            arguments[name] = _functions(value, key, span.length)
        else:
            if name in LENGTHS and value is not None:
                _check_length(value, key, node.cls)
            arguments[name] = value
    if issubclass(node.cls, SequentialLR):
        _refuse_late_composite(node, span)
    if issubclass(node.cls, OneCycleLR):
        _refuse_short_cycle(node, arguments, span)
    cls = node.cls
    if shares is not None:
        cls, arguments = shared_out(cls, check_arguments(cls, SCHEDULER, arguments, node.key), shares)
    scheduler = construct(SCHEDULER, cls, arguments, node.key, optimizer=optimizer)
    if shares is not None:
        share_averaging_rate(scheduler, shares)
    return scheduler


def depends_on_length(node: Component[Any]) -> bool:
    """Whether the length of the run is in what it sets: by ``auto``, or by the T of an expression."""
    found = leaves(node.arguments)
    return any(value == "auto" or ("lr_lambda" in key and re.search(r"\bT\b", str(value))) for key, value in found)


def children(node: Component[Any], span: Span) -> list[tuple[Component[Any], Span]]:
    """The children of a composite, each with its part; those of a SequentialLR last from milestone to milestone."""
    nodes, key = node.arguments.get("schedulers"), f"{node.key}.schedulers"
    if not isinstance(nodes, list):
        return []
    marks = [0, *(node.arguments.get("milestones") or [0] * (len(nodes) - 1)), span.length]
    found = []
    for i, child in enumerate(nodes):
        if not isinstance(child, Mapping) or "_target_" not in child:
            raise ConfigError(f"{key}[{i}]", child, "must be a mapping with a _target_")
        timed = "milestones" in node.arguments and i + 1 < len(marks)
        part = max(1, marks[i + 1] - marks[i]) if timed else span.length
        found.append((component(SCHEDULER, child, f"{key}[{i}]"), replace(span, length=part)))
    return found


def with_lengths(node: Component[Any], span: Span) -> dict[str, Any]:
    """The arguments with numbers for ``auto``: each length is that of the part, and so is epochs × steps_per_epoch.

    Raises:
        ConfigError: an ``auto`` that stands for no length.
    """
    values = dict(node.arguments)
    epochs, an_epoch = values.get("epochs"), values.get("steps_per_epoch")
    if issubclass(node.cls, OneCycleLR) and "auto" in (epochs, an_epoch):
        if epochs == an_epoch and values.get("total_steps") is None:
            values |= {"epochs": None, "steps_per_epoch": None, "total_steps": span.length}
        elif epochs == "auto":
            values["epochs"] = -(
                -span.length // (an_epoch if type(an_epoch) is int and an_epoch > 0 else span.an_epoch)
            )
        if an_epoch == "auto" and values["steps_per_epoch"] is not None:
            values["steps_per_epoch"] = span.an_epoch
    for name, value in values.items():
        if value != "auto":
            continue
        if (node.cls.__module__.startswith("torch.") and name not in LENGTHS) or name == "T_mult":
            raise ConfigError(f"{node.key}.{name}", value, "auto stands for a length, and this is none")
        values[name] = span.length
    return values


def cycle_length(arguments: Mapping[str, Any]) -> int | None:
    """The steps of a OneCycleLR, in either form; None where they are not given as PyTorch wants them."""
    total, epochs, an_epoch = (arguments.get(name) for name in ("total_steps", "epochs", "steps_per_epoch"))
    if total is None and type(epochs) is int and type(an_epoch) is int:
        total = epochs * an_epoch
    return total if type(total) is int else None


def _refuse_short_cycle(node: Component[Any], arguments: Mapping[str, Any], span: Span) -> None:
    total = cycle_length(arguments)
    if total is None or total >= span.length - 1:
        return
    rule = f"PyTorch's OneCycleLR ends with an error there, and the run has {span.length}"
    if arguments.get("total_steps") is not None:
        raise ConfigError(f"{node.key}.total_steps", total, rule, "give auto")
    epochs, an_epoch = arguments["epochs"], arguments["steps_per_epoch"]
    rule = f"with steps_per_epoch={an_epoch} these are {total} steps; {rule}"
    raise ConfigError(f"{node.key}.epochs", epochs, rule, "give auto")


def _refuse_late_composite(node: Component[Any], span: Span) -> None:
    """PyTorch's SequentialLR sets a child's rate at its milestone, and of a composite it gets none."""
    for child, _ in children(node, span)[1:]:
        if issubclass(child.cls, COMPOSITES):
            rule = "PyTorch's SequentialLR ends with an error where it comes to a composite"
            remedy = "name its parts in this list, each with its milestone; or take scheduler=sequence"
            raise ConfigError(child.key, child.cls.__name__, rule, remedy)


def refuse_own_errors(key: str, scheduler: Any, calls: int) -> None:
    """Step one of PyTorch's classes that can fail on its way through a whole run, before the first update.

    Args:
        key: of the scheduler.
        scheduler: built on an optimizer that is not the run's.
        calls: how often the run steps it.

    Raises:
        ConfigError: it ends with an exception.
    """
    if not any(isinstance(part, (OneCycleLR, CyclicLR)) for part in nested(scheduler)):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in range(1, min(calls, MOST) + 1):
            try:
                scheduler.step()
            except (ArithmeticError, ValueError) as error:
                name, rule = type(scheduler).__name__, f"ends with an error of its own at t={t} of {calls}: {error}"
                raise ConfigError(key, name, rule, "give it lengths that the run does not go past") from error


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


def _check_milestones(milestones: Any, key: str, cls: type) -> None:
    whole = isinstance(milestones, list) and all(type(m) is int for m in milestones)
    if not whole:
        first = next((m for m in milestones if type(m) is not int), None) if isinstance(milestones, list) else None
        remedy = instead_of_duration(first, cls) or "PyTorch accepts others, and then never reaches them"
        raise ConfigError(key, milestones, "milestones are whole numbers", remedy)
    if any(m < 1 for m in milestones) or any(b <= a for a, b in pairwise(milestones)):
        raise ConfigError(
            key,
            milestones,
            "milestones are at least 1 and each is greater than the one before",
            "PyTorch accepts this: it applies a milestone of 0 before the first step, and with unsorted ones a "
            "SequentialLR runs its last scheduler throughout",
        )


def _check_length(value: Any, key: str, cls: type) -> None:
    if type(value) is not int or value < 1:
        remedy = (
            instead_of_duration(value, cls)
            or "PyTorch accepts others, and then changes the rate at other steps, or never"
        )
        raise ConfigError(key, value, "must be a whole number, at least 1", remedy)
