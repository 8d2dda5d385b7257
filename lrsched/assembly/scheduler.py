"""From the scheduler node to what drives the optimizer: a table, a closed loop, or a native class."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from torch.optim import Optimizer

from lrsched.assembly.extend import Past, continued_schedule
from lrsched.assembly.native import build_relay, closed_loops
from lrsched.config import schema
from lrsched.config.check import take
from lrsched.config.targets import SCHEDULER, build, resolve, trusted
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler
from lrsched.schedulers.expression import Expression
from lrsched.schedulers.native import Native
from lrsched.schedulers.table import Table
from lrsched.schedules import Schedule, Sequence

LENGTHS = (
    "step_size",
    "total_iters",
    "total_steps",
    "epochs",
    "steps_per_epoch",
    "T_max",
    "T_0",
    "T_mult",
    "step_size_up",
    "step_size_down",
    "anneal_epochs",
)
"""Arguments of PyTorch's classes that count in their own interval."""


def lengths(horizon: Horizon, evaluations: int) -> dict[str, int]:
    """How long the run is, in each of the intervals that a native scheduler can step in."""
    return {
        "step": horizon.steps,
        "epoch": math.ceil(horizon.steps / horizon.steps_per_epoch),
        "evaluation": evaluations,
    }


def build_scheduler(
    node: Mapping[str, Any],
    optimizer: Optimizer,
    horizon: Horizon,
    evaluations: int,
    past: Iterable[Past] = (),
) -> Scheduler:
    """The scheduler that a config names, on this optimizer, for this run.

    Args:
        node: the config's ``scheduler``.
        optimizer: with the base values in its groups.
        horizon: the run.
        evaluations: how many the run has, which is the horizon of interval ``evaluation``.
        past: lengths that it was planned for before, oldest first.

    Raises:
        ConfigError: a value that cannot be used.
    """
    cls = resolve(SCHEDULER, str(node["_target_"]), "scheduler")
    past = list(past)
    first = past[0].planned if past else horizon  # what is live goes on as it was planned
    try:
        if issubclass(cls, Sequence) and (loops := closed_loops(node)):
            _refuse_extension(past, "a sequence with a closed loop")
            return build_relay(node, loops, optimizer, horizon)
        if issubclass(cls, Schedule):
            schedule = build(SCHEDULER, node, "scheduler")
            return Table(optimizer, continued_schedule(schedule, past, horizon), horizon)
        if issubclass(cls, Scheduler):
            return build(SCHEDULER, node, "scheduler", optimizer=optimizer, horizon=first)
        reserved, own = take(schema.NativeScheduler, node, "scheduler")
        if "'auto'" in str(own):
            _refuse_extension(past, f"{cls.__name__} with a length of auto, which its state keeps")
        inner = _native(own, "scheduler", optimizer, lengths(first, evaluations)[reserved.interval])
        return Native(inner, reserved.interval, horizon.steps_per_epoch, reserved.monitor)  # type: ignore[arg-type]
    except ConfigError as error:
        raise error if error.key.startswith("scheduler") else error.under("scheduler") from error


def _refuse_extension(past: Iterable[Past], what: str) -> None:
    """A live scheduler goes on with the length it was built with: PyTorch would ignore another without a word."""
    for before in past:
        if before.policy != "keep":
            rule = f"{what}, can only go on as planned"
            raise ConfigError("scheduler", before.policy, rule, "give trainer.on_extend=keep, or a schedule of ours")


def _native(node: Mapping[str, Any], key: str, optimizer: Optimizer, length: int) -> Any:
    """An instance of a class in PyTorch's form, its children first; ``auto`` is the length of its part of the run."""
    if "milestones" in node:
        _check_milestones(node["milestones"], f"{key}.milestones")
    arguments: dict[str, Any] = {}
    for name, value in node.items():
        if name == "schedulers" and isinstance(value, list):
            arguments[name] = _children(node, f"{key}.{name}", optimizer, length)
        elif name == "lr_lambda":
            arguments[name] = _functions(value, f"{key}.{name}", length)
        elif value == "auto":
            arguments[name] = length
        else:
            if name in LENGTHS and value is not None:
                _check_length(value, f"{key}.{name}")
            arguments[name] = value
    return build(SCHEDULER, arguments, key, optimizer=optimizer)


def _children(node: Mapping[str, Any], key: str, optimizer: Optimizer, length: int) -> list[Any]:
    """The children of a composite; those of a SequentialLR last from their milestone to the next one."""
    children = node["schedulers"]
    marks = [0, *(node.get("milestones") or [0] * (len(children) - 1)), length]
    built = []
    for i, child in enumerate(children):
        if not isinstance(child, Mapping) or "_target_" not in child:
            raise ConfigError(f"{key}[{i}]", child, "must be a mapping with a _target_")
        part = max(1, marks[i + 1] - marks[i]) if "milestones" in node and i + 1 < len(marks) else length
        built.append(_native(child, f"{key}[{i}]", optimizer, part))
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
