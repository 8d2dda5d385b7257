"""From a sequence's node to its driver, where a part of it is a closed loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from torch.optim import Optimizer

from lrsched.config.targets import SCHEDULER, build, resolve
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler
from lrsched.schedulers.closed_loop import ClosedLoop
from lrsched.schedulers.relay import Leg, Relay
from lrsched.schedulers.table import Table

PLACEHOLDER = {"_target_": "lrsched.schedules.Constant"}
"""Stands for a closed loop in the sequence that says where the parts lie."""


def closed_loops(node: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """The parts of a sequence's node that a closed loop drives, by their number."""
    loops: dict[int, Mapping[str, Any]] = {}
    parts = node.get("parts")
    for j, part in enumerate(parts if isinstance(parts, list) else ()):
        child = part.get("schedule") if isinstance(part, Mapping) else None
        if isinstance(child, Mapping) and "_target_" in child:
            cls = resolve(SCHEDULER, str(child["_target_"]), f"scheduler.parts[{j}].schedule")
            if issubclass(cls, ClosedLoop):
                loops[j] = child
    return loops


def build_relay(
    node: Mapping[str, Any], loops: Mapping[int, Mapping[str, Any]], optimizer: Optimizer, horizon: Horizon
) -> Scheduler:
    """The driver of a sequence whose parts ``loops`` are closed loops.

    Raises:
        ConfigError: a value that cannot be used.
    """
    parts = [{**part, "schedule": PLACEHOLDER} if j in loops else part for j, part in enumerate(node["parts"])]
    sequence = build(SCHEDULER, {**node, "parts": parts}, "scheduler")
    lead = sequence.lead(horizon)
    lengths = sequence.lengths(horizon.steps - lead, horizon)
    starts = list(accumulate(lengths, initial=lead))
    legs = []
    for j, child in loops.items():
        if lengths[j]:
            key = f"scheduler.parts[{j}].schedule"
            loop = build(SCHEDULER, child, key, optimizer=optimizer, horizon=horizon.part(lengths[j]))
            end = starts[j + 1] if starts[j + 1] < horizon.steps else math.inf
            legs.append(Leg(starts[j], end, loop))
    return Relay(Table(optimizer, sequence, horizon), legs)
