"""Read plain mappings into schema dataclasses; refuse unknown keys, and values of another type or out of range."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from lrsched.config import schema
from lrsched.config.peers import nearest_key
from lrsched.config.types import check_type, singles
from lrsched.config.versions import MOVED
from lrsched.config.walk import is_list, is_mapping, keys_named, leaves
from lrsched.errors import ConfigError

S = TypeVar("S")
FLOAT32_MAX = (2 - 2**-23) * 2.0**127


def check_numbers(value: Any, key: str = "") -> None:
    """Refuse numbers that no tensor can hold, at any depth.

    Raises:
        ConfigError: NaN, an infinity, a float beyond float32 or a whole number beyond 64 bits.
    """
    if _all_fit(value):
        return
    for name, number in leaves(value, key):
        if type(number) is str:
            continue
        if isinstance(number, float) and not abs(number) <= FLOAT32_MAX:
            rule = f"must be a finite number, at most {FLOAT32_MAX:.3g} in size: float32 holds no more"
            raise ConfigError(name, number, rule)
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise ConfigError(name, number, "is a whole number beyond 64 bits")


def _all_fit(node: Any) -> bool:
    """Whether no number at any depth is one of those. (Nearly all are none, and names take longer than the check.)"""
    if isinstance(node, str) or node is None:
        return True
    if isinstance(node, float):
        return abs(node) <= FLOAT32_MAX
    if isinstance(node, int):
        return -(2**63) <= node < 2**63
    inside = node.values() if is_mapping(node) else node if is_list(node) else ()
    return all(map(_all_fit, inside))


def from_text(key: str, value: Any) -> Any:
    """The value of a key, read from its text where it is one that OmegaConf does not read.

    >>> from_text("trainer.compile", "true"), from_text("threads", "4"), from_text("seed", "4")
    (True, 4, '4')
    """
    convert = schema.FROM_TEXT.get(key)
    return convert(value) if convert is not None and isinstance(value, str) else value


def from_texts(config: dict[str, Any]) -> dict[str, Any]:
    """Read such keys of a config, which changes, and is given back.

    Args:
        config: plain and resolved.
    """
    for key in schema.FROM_TEXT:
        group, _, name = key.rpartition(".")
        node = config.get(group) if group else config
        if isinstance(node, dict) and name in node:
            node[name] = from_text(key, node[name])
    return config


def read(cls: type[S], node: Mapping[str, Any], prefix: str) -> S:
    """Make an instance of a schema dataclass from a mapping.

    Args:
        cls: the schema.
        node: the values by name.
        prefix: the key of the node, "" for the whole config.

    Raises:
        ConfigError: an unknown key, or a value of another type or out of its range.
    """
    fields = _fields(cls)
    values = {}
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else name
        field = fields.get(name)
        if field is None:
            if key in MOVED:
                raise ConfigError(key, value, "has moved", f"it is {MOVED[key]} now")
            places = [] if prefix else keys_named(name, {word: item for word, item in node.items() if word != name})
            remedy = f"write {places[0]}={value}" if len(places) == 1 else nearest_key(name, fields)
            raise ConfigError(key, value, "there is no such key", remedy)
        if field.nested is not None:
            values[name] = _entry(field.nested, value, key)
            continue
        checked = value if type(value) in field.singles else check_type(key, value, field.hint)
        if field.each is not None:
            checked = [_entry(field.each, item, f"{key}[{i}]") for i, item in enumerate(checked)]
        if field.rule is not None:
            field.rule(key, checked)
        values[name] = checked
    return cls(**values)


class _Field(NamedTuple):
    """A field of a schema: its annotation; or the schema of its node, or of each of its items; its rule."""

    hint: Any
    singles: frozenset[type]
    nested: type[Any] | None
    each: type[Any] | None
    rule: Callable[[str, Any], object] | None


@cache
def _fields(cls: type) -> Mapping[str, _Field]:
    """The fields of a schema, its annotations evaluated. (Evaluating takes longer than a check.)"""
    hints = get_type_hints(cls)
    return {
        item.name: _Field(
            hint := hints[item.name],
            singles(hint),
            hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None,
            item.metadata.get("items"),
            item.metadata.get("rule"),
        )
        for item in dataclasses.fields(cls)
    }


def _entry(cls: type[S], value: Any, key: str) -> S:
    if not is_mapping(value):
        raise ConfigError(key, value, f"must be a mapping of {', '.join(schema.names(cls))}")
    return read(cls, value, key)


def take(cls: type[S], node: Mapping[str, Any], prefix: str) -> tuple[S, dict[str, Any]]:
    """Split a group's node into its reserved keys, typed, and the arguments of its target.

    Raises:
        ConfigError: a reserved key has a value of another type or out of its range.
    """
    mine = {name: node[name] for name in schema.names(cls) if name in node}
    rest = {name: value for name, value in node.items() if name not in mine}
    return read(cls, mine, prefix), rest
