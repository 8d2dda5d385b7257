"""Configs as flat dictionaries, so that they can be compared key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Flat = Mapping[str, Any]
"""Dotted keys and plain values."""


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The entries of a nested config by their dotted keys; a list, and an empty mapping, is one value, as text.

    >>> flat({"seed": 0, "model": {"hidden": [64, 32], "dropout": 0.5}, "also": {}})
    {'seed': 0, 'model.hidden': '[64,32]', 'model.dropout': 0.5, 'also': '{}'}
    """
    entries: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            entries |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, (Mapping, list, set, tuple)):
            entries[f"{prefix}{key}"] = json.dumps(value, separators=(",", ":"), default=str)
        else:
            entries[f"{prefix}{key}"] = value
    return entries
