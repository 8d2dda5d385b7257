"""JSON schemas of the typed config, and of the nodes that name a class."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from lrsched.assembly.kinds import LENGTHS
from lrsched.config import schema
from lrsched.config.ranges import RANGES
from lrsched.config.rules import Rule
from lrsched.config.settings import PARTS
from lrsched.config.targets import DATASET, OPTIMIZER, SCHEDULER, Role, hints_of
from lrsched.config.types import describe
from lrsched.schemas.types import Schema, any_of, limited, or_later, said, schema_of

NODE: Schema = {"type": "object", "required": ["_target_"]}
"""Any node that names a class."""

DEFAULTS: Schema = {"type": "array", "items": {"type": ["string", "object"]}}
"""What a file is made of beside its own keys."""


@dataclass(frozen=True)
class Written:
    """What YAML files say of keys, by dotted key: a value and a comment.

    Args:
        values: by name, nested as in the file.
        words: the comments.
    """

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    words: Mapping[str, str] = field(default_factory=dict[str, str])

    def describe(self, key: str, found: Schema) -> Schema:
        """A key's schema with its comment and its value."""
        value: Any = self.values
        for name in key.split("."):
            value = value.get(name, MISSING) if isinstance(value, Mapping) else MISSING
        words = {"description": self.words[key]} if key in self.words else {}
        default = {} if value is MISSING or "properties" in found or not _is_json(value) else {"default": value}
        return {**words, **found, **default}


def _is_json(value: Any) -> bool:
    """Whether JSON has such a value: it has no infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def typed(cls: type, written: Written, prefix: str = "") -> dict[str, Schema]:
    """The keys of a dataclass of the typed config.

    Args:
        cls: of :mod:`lrsched.config.schema`, or like those.
        written: comments and values of the YAML that it stands for.
        prefix: the key that its own stand below, in the YAML.
    """
    hints, found = get_type_hints(cls), dict[str, Schema]()
    for item in fields(cls):
        key = f"{prefix}.{item.name}" if prefix else item.name
        found[item.name] = written.describe(key, _typed(item.metadata, hints[item.name], written, key))
    return found


def _typed(metadata: Mapping[str, Any], hint: Any, written: Written, key: str) -> Schema:
    if is_dataclass(hint):
        return or_later(closed(typed(hint, written, key)))  # type: ignore[arg-type]
    found = schema_of(hint) or {}
    rule: Rule | None = metadata.get("rule")
    if each := metadata.get("items"):
        return or_later({**found, "items": or_later(closed(typed(each, Written())))})
    if each := metadata.get("values"):
        return or_later({**found, "additionalProperties": or_later(closed(typed(each, Written())))})
    if not rule:
        kinds = found.get("type")
        if kinds in ("string", ["string", "null"]):  # a number is a text here, as on a command line
            kinds = [*([kinds] if isinstance(kinds, str) else kinds), "number", "boolean"]
            found = {**found, "type": kinds}
        return said(or_later(found), f"must be {describe(hint)}")
    whole = hint is Any or {"pattern", "enum"} & rule.limits.keys()  # they say all, also which type it is
    words = rule.words if whole else f"must be {describe(hint)}; {rule.words}"
    return said(or_later(limited(found, rule.limits)), words)


def closed(properties: dict[str, Schema]) -> Schema:
    """A mapping that has no other keys."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def reserved(role: Role, cls: type | None, written: Written) -> dict[str, Schema]:
    """The keys of a group that its class never sees."""
    if role == SCHEDULER and cls is not None and _native(cls):
        return typed(schema.NativeConfig, written)
    own = {DATASET: schema.DatasetConfig, OPTIMIZER: schema.OptimizerConfig}.get(role)
    found = typed(own, written) if own else {}
    for name in PARTS if role == DATASET else ():
        number = {word: found[name].pop(word) for word in list(found[name]) if word not in ("description", "default")}
        found[name]["anyOf"] = [number, NODE]
    return found


def _native(cls: type) -> bool:
    return any(base.__module__ == "torch.optim.lr_scheduler" for base in cls.__mro__)


def node_of(role: Role, target: str, cls: type, written: Written) -> Schema:
    """The schema of a node that names a class.

    Args:
        role: what the group may name.
        target: the class's dotted name.
        cls: the class.
        written: comments and values of its YAML.
    """
    parameters, hints = inspect.signature(cls).parameters, hints_of(cls)
    written = Written(written.values, {**documented(cls), **written.words})
    open_ended = False
    properties: dict[str, Schema] = {"_target_": {"type": "string", "const": target}, "defaults": DEFAULTS}
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            open_ended |= parameter.kind is parameter.VAR_KEYWORD
        elif name not in role.given:
            properties[name] = written.describe(name, _argument(role, cls, name, hints.get(name, Any)))
    properties["_partial_"] = {"const": True}
    properties |= reserved(role, cls, written)
    words = {"description": written.words[""]} if written.words.get("") else {}
    return {**words, "properties": properties, **({} if open_ended else {"additionalProperties": False})}


def documented(cls: type) -> dict[str, str]:
    """What a class's docstring says of its arguments, in the section ``Args:``.

    >>> from lrsched.schedules import Cosine
    >>> documented(Cosine)["power"]
    'exponent of the wave; above 1 it falls earlier.'
    """
    if cls.__module__.startswith("torch."):
        return {}
    _, _, rest = (inspect.getdoc(cls) or "").partition("\nArgs:\n")
    section = re.split(r"\n(?=\S)", rest)[0]
    entries = re.split(r"^ {4}(\w+)(?: \([^\n]*?\))?: ", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(entries[1::2], entries[2::2], strict=True)}


def _argument(role: Role, cls: type, name: str, hint: Any) -> Schema:
    found = schema_of(hint)
    words = f"must be {describe(hint)}" if hint is not Any else ""
    if role == SCHEDULER and _native(cls):
        if name in LENGTHS and found:
            found, words = any_of([found, {"enum": ["auto"]}]), f"{words}, or auto: the run's length"
        elif name in ("lr_lambda", "scale_fn"):
            found = {}
    if not found:
        found = {}
    if cls.__module__.startswith("torch.optim.") and name in RANGES:
        limits, rule = RANGES[name]
        found, words = limited(found, limits), f"{words}, and {rule}" if words else rule
    if role == DATASET and found and any(schema_of(each) is None for each in get_args(hint)):
        found = any_of([found, NODE]) or {}  # an object, which its node makes
    return said(or_later(found), words)
