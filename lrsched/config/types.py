"""Check a value from YAML against an annotated type, and name that type in words."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from lrsched.config.walk import is_list
from lrsched.errors import ConfigError, suggestion
from lrsched.horizon import RULE, parse


def check_type(key: str, value: Any, hint: Any) -> Any:
    """Convert a value to a type: a list becomes a tuple where the type is one; any other value stays as it is.

    Args:
        key: of the value, for messages.
        value: from YAML.
        hint: the annotation.

    Raises:
        ConfigError: the value is of another type.

    >>> check_type("betas", [0.9, 0.99], tuple[float, float])
    (0.9, 0.99)
    >>> check_type("epochs", "ten", int)
    Traceback (most recent call last):
    lrsched.errors.ConfigError: epochs=ten: must be a whole number
    """
    if type(value) is hint:  # most are single values of their very type
        return value
    matched, result = _match(key, value, hint)
    if matched:
        return result
    remedy = suggestion(str(value), [str(a) for a in get_args(hint)]) if get_origin(hint) is Literal else ""
    raise ConfigError(key, value, f"must be {describe(hint)}", remedy)


def describe(hint: Any) -> str:
    """Name a type in words, as a rule: ``must be …``."""
    simple = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    if hint in simple:
        return simple[hint]
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is Annotated:
        return "a duration such as 5%, 2ep, 500st or 64000sp" if RULE in arguments[1:] else describe(arguments[0])
    if origin in (Union, types.UnionType):
        known = [describe(a) for a in arguments if a in simple or get_origin(a) is not None]
        return " or ".join(dict.fromkeys(known)) or str(hint)
    if origin is tuple and arguments and Ellipsis not in arguments:
        return f"a list of {len(arguments)}: " + ", ".join(map(describe, arguments))
    if origin in (tuple, list, Sequence):
        return "a list" + (f", each {describe(arguments[0])}" if arguments else "")
    if origin in (dict, Mapping):
        return "a mapping {name: value}"
    return getattr(hint, "__name__", str(hint))


def singles(hint: Any) -> frozenset[type]:
    """Types whose every value passes :func:`check_type` as it is: most values are single ones, and need no walk.

    >>> sorted(found.__name__ for found in singles(float | None))
    ['NoneType', 'float', 'int']
    """
    if get_origin(hint) in (Union, types.UnionType):
        return frozenset[type]().union(*map(singles, get_args(hint)))
    return frozenset({float, int} if hint is float else {hint} if hint in (str, int, bool, type(None)) else ())


def _match(key: str, value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value is of a type, and the value converted to it."""
    if hint in (Any, object) or isinstance(hint, (TypeVar, str)):
        return True, value
    if hint is str or hint is bool:  # the most frequent ones come first
        return isinstance(value, hint), value
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        if RULE in arguments[1:]:
            parse(value, key)
        return _match(key, value, arguments[0])
    if origin is Literal:
        return any(type(value) is type(a) and value == a for a in arguments), value
    if origin in (Union, types.UnionType):
        return _match_any(key, value, arguments)
    if origin in (tuple, list, Sequence):
        return _match_list(key, value, origin, arguments)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping), value
    if hint is None:
        return value is None, value
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool), value
    return not isinstance(hint, type) or isinstance(value, hint), value


def _match_any(key: str, value: Any, hints: tuple[Any, ...]) -> tuple[bool, Any]:
    """Match the first type of a union that fits."""
    complaint: ConfigError | None = None
    for hint in hints:
        try:
            matched, result = _match(key, value, hint)
            if matched:
                return True, result
        except ConfigError as error:  # no duration; another type of the union may fit
            complaint = error
    if complaint is not None:
        raise complaint
    return False, value


def _match_list(key: str, value: Any, origin: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Match a list item by item."""
    if not is_list(value):
        return False, value
    hints = arguments
    if origin is not tuple or not arguments or Ellipsis in arguments:
        hints = (arguments[0] if arguments else Any,) * len(value)
    if len(value) != len(hints):
        return False, value
    items = [_match(key, item, hint) for item, hint in zip(value, hints, strict=True)]
    results = [result for _, result in items]
    return all(matched for matched, _ in items), tuple(results) if origin is tuple else results
