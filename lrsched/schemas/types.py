"""JSON Schema of an annotated type, in the form in which :mod:`lrsched.config.types` checks values of it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from lrsched.config.rules import Limits
from lrsched.config.types import describe
from lrsched.horizon import RULE, WRITTEN

Schema = dict[str, Any]

LATER = r"^\?\?\?$|\$\{"
"""What any key may hold instead of its value: ``???``, to be given later, or an interpolation ``${…}``."""

PLAIN: Mapping[Any, str] = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}
NODE = "lrsched.schedules.base.Schedule", "torch.optim.lr_scheduler.LRScheduler"
"""Classes that stand in a signature for a node of the group ``scheduler``."""


def schema_of(hint: Any) -> Schema | None:
    """The schema of a type; None: no value of YAML is of this type.

    >>> schema_of(int | None)
    {'type': ['integer', 'null']}
    >>> schema_of(Literal["min", "max"])
    {'enum': ['min', 'max']}
    """
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if hint in (Any, object) or isinstance(hint, (TypeVar, str)):
        return {}
    if origin is Annotated:
        return {"type": "string", "pattern": WRITTEN} if RULE in arguments[1:] else schema_of(arguments[0])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return any_of([found for found in map(schema_of, arguments) if found is not None])
    if origin in (tuple, list, Sequence):
        return _list(origin, arguments)
    if origin in (dict, Mapping):
        values = schema_of(arguments[1]) if arguments else {}
        return {"type": "object", "additionalProperties": or_later(values or {})}
    named = {f"{cls.__module__}.{cls.__qualname__}" for cls in getattr(hint, "__mro__", ())}
    return {"$ref": "#"} if named & set(NODE) else None


def _list(origin: Any, arguments: tuple[Any, ...]) -> Schema:
    if origin is tuple and arguments and Ellipsis not in arguments:
        items = [_item(each) for each in arguments]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}
    return {"type": "array", "items": _item(arguments[0]) if arguments else {}}


def _item(hint: Any) -> Schema:
    return said(or_later(schema_of(hint) or {}), f"must be {describe(hint)}")


def any_of(choices: Sequence[Schema]) -> Schema | None:
    """The schema of what one of some schemas accepts; what is a type alone is written as one list of types."""
    plain = [choice["type"] for choice in choices if list(choice) == ["type"]]
    rest = [choice for choice in choices if list(choice) != ["type"]]
    if {} in choices:
        return {}
    merged: list[Schema] = [{"type": plain if len(plain) > 1 else plain[0]}] if plain else []
    found = [*merged, *rest]
    return None if not found else found[0] if len(found) == 1 else {"anyOf": found}


def or_later(schema: Schema) -> Schema:
    """The same or an interpolation.

    >>> or_later({"type": "integer", "minimum": 1})
    {'type': ['integer', 'string'], 'minimum': 1, 'pattern': '^\\\\?\\\\?\\\\?$|\\\\$\\\\{'}
    """
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not schema or ("string" in kinds and "pattern" not in schema):
        return schema
    if not kinds:
        return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "string", "pattern": LATER}]}
    pattern = f"{schema['pattern']}|{LATER}" if "pattern" in schema else LATER
    return {**schema, "type": [*kinds, *(["string"] if "string" not in kinds else [])], "pattern": pattern}


def said(found: Schema, words: str) -> Schema:
    """A schema with the sentence that an editor shows about a wrong value."""
    return {**found, "errorMessage": words} if words and found else found


def limited(schema: Schema, limits: Limits) -> Schema:
    """The same within limits: of the number, or of each number in the list."""
    finite = {word: limit for word, limit in limits.items() if limit not in (float("inf"), float("-inf"))}
    if "enum" in finite:
        null = "null" in schema.get("type", ())
        return {"enum": [*finite["enum"], *([None] if null else [])]}
    if "anyOf" in schema:
        return {"anyOf": [limited(each, limits) for each in schema["anyOf"]]}
    found = {**schema, **finite}
    items = schema.get("items")
    if isinstance(items, list):
        found["items"] = [{**each, **finite} for each in items]
    elif items:
        found["items"] = limited(items, limits)
    return found
