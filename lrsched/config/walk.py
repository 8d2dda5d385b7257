"""Walk over nested configs: their leaves by dotted key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard, cast

Flat = Mapping[str, Any]
"""Dotted keys and plain values."""

_SINGLE = frozenset({str, int, float, bool, type(None)})
"""Types of single values."""

_AS_TEXT = json.JSONEncoder(separators=(",", ":"), default=str)


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a mapping; a config's has names as keys."""
    # To ask the abstract class takes four times as long.
    return isinstance(value, dict) or (type(value) not in _SINGLE and isinstance(value, Mapping))


def is_list(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether a value is a list, or the tuple that was made of one."""
    return isinstance(value, (list, tuple))


def leaves(node: Any, key: str = "", *, into_lists: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield each value at the end of a branch, with its dotted key. An empty mapping or list is such a value.

    Args:
        node: a config, or a part of it.
        key: the key of the node itself.
        into_lists: whether to walk into lists (``betas[0]``) or to take each as one value.

    >>> list(leaves({"lr": 0.1, "betas": [0.9, 0.99]}, "optimizer"))
    [('optimizer.lr', 0.1), ('optimizer.betas[0]', 0.9), ('optimizer.betas[1]', 0.99)]
    """
    if is_mapping(node) and node:
        for name, item in node.items():
            inner = f"{key}.{name}" if key else str(name)
            if type(item) in _SINGLE:  # most are, and a generator for each takes time
                yield inner, item
            else:
                yield from leaves(item, inner, into_lists=into_lists)
    elif into_lists and is_list(node) and node:
        for i, item in enumerate(node):
            yield from leaves(item, f"{key}[{i}]")
    else:
        yield key, node


def tree(node: Any) -> Any:
    """Copy the mappings and lists of a config; the values in them stay the same objects.

    >>> one = {"model": {"hidden": [64, 32]}}
    >>> other = tree(one)
    >>> other == one, other["model"]["hidden"] is one["model"]["hidden"]
    (True, False)
    """
    if isinstance(node, dict):
        inside = cast(dict[str, Any], node)
        return {key: tree(item) if isinstance(item, (dict, list)) else item for key, item in inside.items()}
    return [tree(item) for item in cast(list[Any], node)] if isinstance(node, list) else node


def keys_named(word: str, config: Mapping[str, Any]) -> list[str]:
    """Keys of a nested config whose last name is a word, those at the least depth.

    >>> keys_named("lr", {"seed": 0, "optimizer": {"lr": 0.1, "groups": {"head": {"lr": 0.2}}}})
    ['optimizer.lr']
    """
    level = {str(key): value for key, value in config.items()}
    while level:
        if found := [key for key in level if key.rpartition(".")[2] == word]:
            return found
        level = {
            f"{key}.{name}": item for key, node in level.items() if is_mapping(node) for name, item in node.items()
        }
    return []


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a config to dotted keys and values. A list or an empty mapping becomes one value, as JSON text.

    >>> flat({"seed": 0, "model": {"hidden": [64, 32], "dropout": 0.5}, "also": {}})
    {'seed': 0, 'model.hidden': '[64,32]', 'model.dropout': 0.5, 'also': '{}'}
    """
    found: dict[str, Any] = {}
    _flatten(config, "", found)
    found.pop("", None)
    return found


def _flatten(node: Mapping[str, Any], above: str, found: dict[str, Any]) -> None:
    """Put the values of a mapping into ``found``. (No generator: a report flattens thousands of configs.)"""
    for name, item in node.items():
        key = f"{above}.{name}" if above else str(name)
        if type(item) in _SINGLE:
            found[key] = item
        elif is_mapping(item) and item:
            _flatten(item, key, found)
        else:
            found[key] = _AS_TEXT.encode(item) if is_mapping(item) or is_list(item) else item
