"""Read plain mappings into schema dataclasses; refuse unknown keys and values out of their range."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from lrsched.config import schema
from lrsched.config.types import check_type
from lrsched.errors import ConfigError, nearest

S = TypeVar("S")
FLOAT32_MAX = (2 - 2**-23) * 2.0**127


def check_numbers(value: Any, key: str = "") -> None:
    """Refuse, at any depth, numbers that no tensor could hold.

    Raises:
        ConfigError: NaN, an infinity, a float beyond float32 or a whole number beyond 64 bits.
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            check_numbers(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            check_numbers(item, f"{key}[{i}]")
    elif isinstance(value, float) and not abs(value) <= FLOAT32_MAX:
        raise ConfigError(
            key, value, f"must be a finite number, at most {FLOAT32_MAX:.3g} in size: float32 holds no more"
        )
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(key, value, "is a whole number beyond 64 bits")


def read(cls: type[S], node: Mapping[str, Any], prefix: str) -> S:
    """An instance of a schema dataclass from a mapping; every key known, every value checked."""
    hints = get_type_hints(cls)
    items = {item.name: item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {}
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else name
        if name not in items:
            raise ConfigError(key, value, "there is no such key", nearest(name, items))
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            values[name] = _entry(hint, value, key)  # type: ignore[arg-type]
            continue
        values[name] = check_type(key, value, hint)
        each = items[name].metadata.get("items")
        if each is not None:
            values[name] = [_entry(each, item, f"{key}[{i}]") for i, item in enumerate(values[name])]
        rule = items[name].metadata.get("rule")
        if rule is not None:
            rule(key, values[name])
    return cls(**values)


def _entry(cls: type[S], value: Any, key: str) -> S:
    if not isinstance(value, Mapping):
        raise ConfigError(key, value, f"must be a mapping of {', '.join(schema.names(cls))}")
    return read(cls, value, key)


def take(cls: type[S], node: Mapping[str, Any], prefix: str) -> tuple[S, dict[str, Any]]:
    """Split a group's node into its reserved keys, typed, and the rest, which its target takes."""
    reserved = set(schema.names(cls))
    mine = {name: value for name, value in node.items() if name in reserved}
    rest = {name: value for name, value in node.items() if name not in reserved}
    return read(cls, mine, prefix), rest
