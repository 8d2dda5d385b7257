"""Walks over nested configs: their leaves by dotted key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Flat = Mapping[str, Any]
"""Dotted keys and plain values."""


def leaves(node: Any, key: str = "", *, into_lists: bool = True) -> Iterator[tuple[str, Any]]:
    """Every value at the end of a branch, with its dotted key; an empty mapping or list is one too.

    Args:
        node: a config, or a part of it.
        key: the key of the node itself.
        into_lists: whether to walk into lists (``betas[0]``) or to take each as one value.

    >>> list(leaves({"lr": 0.1, "betas": [0.9, 0.99]}, "optimizer"))
    [('optimizer.lr', 0.1), ('optimizer.betas[0]', 0.9), ('optimizer.betas[1]', 0.99)]
    """
    if isinstance(node, Mapping) and node:
        for name, item in node.items():
            yield from leaves(item, f"{key}.{name}" if key else str(name), into_lists=into_lists)
    elif into_lists and isinstance(node, (list, tuple)) and node:
        for i, item in enumerate(node):
            yield from leaves(item, f"{key}[{i}]")
    else:
        yield key, node


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A nested config as dotted keys and values. A list, and an empty mapping, is one value, as JSON text.

    >>> flat({"seed": 0, "model": {"hidden": [64, 32], "dropout": 0.5}, "also": {}})
    {'seed': 0, 'model.hidden': '[64,32]', 'model.dropout': 0.5, 'also': '{}'}
    """
    return {
        key: json.dumps(value, separators=(",", ":"), default=str) if _is_container(value) else value
        for key, value in leaves(config, into_lists=False)
        if key
    }


def _is_container(value: Any) -> bool:
    return isinstance(value, (Mapping, list, set, tuple))
