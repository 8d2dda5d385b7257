"""What an update does, whatever it learns: configs whose updates do the same work share their choice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lrsched.config.digest import NEUTRAL_WITHIN
from lrsched.config.schema import SPEED
from lrsched.config.walk import is_mapping

SPLIT = ("split_seed", "fold", "folds", "validation", "test")
"""Keys of ``dataset`` that say which samples are trained on, and not what a sample is."""

SHAPING = ("accumulate", "clip_norm", "on_nonfinite", "deterministic", *SPEED)
"""Keys of ``trainer`` that say what an update does."""


def work_of(config: Mapping[str, Any]) -> str:
    """Hash what says how long an update takes: model, task, data, the kind of the optimizer, device and threads.

    Rates, seeds, the schedule and the length of a run are no part of it; ``auto`` and values given by hand are.

    Args:
        config: plain and resolved, ``auto`` still in it.
    """
    parts = {name: config.get(name) for name in ("model", "task", "device", "threads")}
    left = (*NEUTRAL_WITHIN["dataset"], *SPLIT)
    parts["dataset"] = {name: value for name, value in config["dataset"].items() if name not in left}
    parts["optimizer"] = _kind(config["optimizer"])
    parts["average"] = _kind(config.get("average"))
    parts["trainer"] = {name: config["trainer"].get(name) for name in SHAPING}
    parts["trainer"]["clip_norm"] = parts["trainer"]["clip_norm"] is not None
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _kind(node: Any) -> Any:
    """A node with its numbers as whether they are zero: a rate costs nothing, a momentum does."""
    if is_mapping(node):
        return {name: _kind(value) for name, value in node.items()}
    return node != 0 if isinstance(node, (int, float)) and not isinstance(node, bool) else node
