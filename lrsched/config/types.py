"""Whether a value from YAML is of an annotated type, and what to say when it is not."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from lrsched.errors import ConfigError, suggestion
from lrsched.horizon import RULE, parse

_UNKNOWN = (Any, object)


def check_type(key: str, value: Any, hint: Any) -> Any:
    """``value`` as its type wants it (lists become tuples where a tuple is asked for).

    Raises:
        ConfigError: the value is not of that type; names the rule.

    >>> check_type("betas", [0.9, 0.99], tuple[float, float])
    (0.9, 0.99)
    >>> check_type("epochs", "ten", int)
    Traceback (most recent call last):
    lrsched.errors.ConfigError: epochs=ten: must be a whole number
    """
    matched, result = _match(key, value, hint)
    if matched:
        return result
    remedy = suggestion(str(value), [str(a) for a in get_args(hint)]) if get_origin(hint) is Literal else ""
    raise ConfigError(key, value, f"must be {describe(hint)}", remedy)


def describe(hint: Any) -> str:
    """A type in words."""
    simple = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    if hint in simple:
        return simple[hint]
    origin, arguments = get_origin(hint), get_args(hint)
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
    if origin in (dict, Mapping) or hint is dict:
        return "a mapping {name: value}"
    return getattr(hint, "__name__", str(hint))


def _match(key: str, value: Any, hint: Any) -> tuple[bool, Any]:
    if hint in _UNKNOWN or isinstance(hint, (typing.TypeVar, str)):
        return True, value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        if RULE in arguments[1:]:
            parse(value, key)
        return _match(key, value, arguments[0])
    if origin is Literal:
        return any(type(value) is type(a) and value == a for a in arguments), value
    if origin in (Union, types.UnionType):
        return _match_any(key, value, arguments)
    if origin in (tuple, list, Sequence) or hint in (tuple, list):
        return _match_list(key, value, origin or hint, arguments)
    if origin in (dict, Mapping) or hint is dict:
        return isinstance(value, Mapping), value
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool), value
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    if hint is None or hint is type(None):
        return value is None, value
    return (isinstance(value, hint) if isinstance(hint, type) else True), value


def _match_any(key: str, value: Any, hints: tuple[Any, ...]) -> tuple[bool, Any]:
    complaint: ConfigError | None = None
    for hint in hints:
        try:
            matched, result = _match(key, value, hint)
        except ConfigError as error:  # a text that is no duration, where another kind of value may be right
            complaint = error
            continue
        if matched:
            return True, result
    if complaint is not None:
        raise complaint
    return False, value


def _match_list(key: str, value: Any, origin: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False, value
    if origin is tuple and arguments and Ellipsis not in arguments:
        if len(value) != len(arguments):
            return False, value
        hints = arguments
    else:
        hints = (arguments[0] if arguments else Any,) * len(value)
    items = [_match(key, item, hint) for item, hint in zip(value, hints, strict=True)]
    results = [result for _, result in items]
    return all(matched for matched, _ in items), tuple(results) if origin is tuple else results
