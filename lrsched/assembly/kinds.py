"""What drives an optimizer: decided once, from the scheduler's node.

::

    OpenLoopSpec      a schedule of ours: known beforehand, looked up in a table
    ClosedLoopSpec    a scheduler of ours: moves when it has seen a metric
    HandoverSpec      a sequence of schedules in which closed loops drive some of the parts
    NativeSpec        a class in PyTorch's form, stepped live and unchanged

Build, lint, forecast and simulation are functions over these four. No torch here: for a schedule of ours
none is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from lrsched.config.check import take
from lrsched.config.component import Component
from lrsched.config.schema import NativeConfig
from lrsched.config.settings import component
from lrsched.config.targets import SCHEDULER, construct
from lrsched.errors import ConfigError, UserError
from lrsched.horizon import parse
from lrsched.schedules import Schedule, Sequence
from lrsched.schedules.shapes import Floats

PLACEHOLDER = {"_target_": "lrsched.schedules.Constant"}
"""Stands for a closed loop in the sequence that says where the parts lie."""

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


OURS = {
    "StepLR": "step",
    "MultiStepLR": "multistep",
    "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "sgdr",
    "OneCycleLR": "onecycle",
    "CyclicLR": "cyclic",
    "LinearLR": "linear",
    "PolynomialLR": "polynomial",
    "SequentialLR": "sequence",
}
"""The schedule of ours that does what a class does, by lengths with a unit."""


@dataclass(frozen=True)
class OpenLoopSpec:
    """A curve that is known beforehand."""

    node: Component[None]

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule, built when it is first asked for."""
        return self.node.build()


@dataclass(frozen=True)
class ClosedLoopSpec:
    """A scheduler of ours that may look at metrics."""

    node: Component[None]


@dataclass(frozen=True)
class HandoverSpec:
    """A sequence; ``loops`` are its parts that a closed loop drives, by their number."""

    node: Component[None]
    loops: Mapping[int, Component[None]]

    @cached_property
    def sequence(self) -> Sequence:
        """The sequence with a constant in the place of each loop, built when it is first asked for."""
        arguments = dict(self.node.arguments)
        arguments["parts"] = [
            {**part, "schedule": PLACEHOLDER} if j in self.loops else part for j, part in enumerate(arguments["parts"])
        ]
        return construct(SCHEDULER, self.node.cls, arguments, self.node.key)


@dataclass(frozen=True)
class NativeSpec:
    """A class in PyTorch's form; ``own`` are the keys that it never sees."""

    node: Component[NativeConfig]


SchedulerSpec: TypeAlias = OpenLoopSpec | ClosedLoopSpec | HandoverSpec | NativeSpec


def spec_of(node: Component[None]) -> SchedulerSpec:
    """Decide what a scheduler is.

    Raises:
        ConfigError: a target that is no scheduler, or a reserved key of a native one that cannot be used.
    """
    if issubclass(node.cls, Sequence) and (loops := _loops(node)):
        return HandoverSpec(node, loops)
    if issubclass(node.cls, Schedule):
        return OpenLoopSpec(node)
    from lrsched.schedulers.base import Scheduler  # imports torch

    if issubclass(node.cls, Scheduler):
        return ClosedLoopSpec(node)
    own, arguments = take(NativeConfig, node.arguments, node.key)
    return NativeSpec(Component(node.role, node.key, node.target, arguments, own))


def is_native(node: Component[None]) -> bool:
    """Whether a class in PyTorch's form drives the run; False where the target cannot be used."""
    with suppress(UserError):  # the run itself will say what is wrong
        return isinstance(spec_of(node), NativeSpec)
    return False


def live_class(node: Component[None]) -> str | None:
    """The name of a class that runs live, without a curve known beforehand; None for a schedule.

    None, too, where the target cannot be used: the run itself will say what is wrong.
    """
    with suppress(UserError):
        spec = spec_of(node)
        return None if isinstance(spec, OpenLoopSpec) else spec.node.cls.__name__
    return None


STEADY = ("lr", "weight_decay")
"""The values that may move under an optimizer that averages the weights itself."""


def refuse_falling(name: str, spec: SchedulerSpec, columns: Iterable[tuple[str, Floats]]) -> None:
    """Refuse a schedule that does what a Schedule-Free optimizer does by averaging, or would undo its average.

    Args:
        name: of a Schedule-Free optimizer.
        spec: what the scheduler is.
        columns: each value that it moves, by its name in a parameter group, float64[steps].

    Raises:
        ConfigError: a rate that falls, or may fall, or another value than rate and weight decay.
    """
    remedy = "take scheduler=constant, with scheduler.warmup=5% for a ramp"
    if not isinstance(spec, OpenLoopSpec):
        rule = f"may let the rate fall, and {name} averages its weights instead"
        raise ConfigError("scheduler", spec.node.cls.__name__, rule, remedy)
    for value, values in columns:
        if value not in STEADY:
            rule = f"moves {value}, by which {name} computes the weights that are evaluated"
            raise ConfigError("scheduler", spec.node.cls.__name__, rule, remedy)
        if value == "lr" and (np.diff(values) < 0).any():
            rule = f"lets the rate fall, and {name} averages its weights instead"
            raise ConfigError("scheduler", spec.node.cls.__name__, rule, remedy)


def _loops(node: Component[None]) -> dict[int, Component[None]]:
    loops: dict[int, Component[None]] = {}
    parts = node.arguments.get("parts")
    for j, part in enumerate(parts if isinstance(parts, list) else ()):
        child: Any = part.get("schedule") if isinstance(part, Mapping) else None
        if isinstance(child, Mapping) and "_target_" in child:
            found = component(SCHEDULER, child, f"{node.key}.parts[{j}].schedule")
            if not issubclass(found.cls, Schedule) and _is_closed_loop(found.cls):
                loops[j] = found
    return loops


def _is_closed_loop(cls: type) -> bool:
    from lrsched.schedulers.closed_loop import ClosedLoop  # imports torch

    return issubclass(cls, ClosedLoop)


def instead_of_duration(value: Any, cls: type) -> str:
    """What to write for a duration, which a class of PyTorch's does not take; empty where it is none."""
    try:
        amount, unit = parse(value)
    except ConfigError:
        return ""
    interval = {"ep": "epoch", "st": "step"}.get(unit)
    here = (
        f"give {amount} with interval={interval}" if interval and amount.denominator == 1 else "give auto for the run"
    )
    ours = OURS.get(cls.__name__)
    return f"PyTorch's classes count in their interval: {here}" + (
        f"; scheduler={ours} takes durations" if ours else ""
    )
