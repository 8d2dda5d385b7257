"""The JSON schema of each config group, and that of a whole config."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lrsched.config import schema
from lrsched.config.targets import AVERAGING, DATASET, MODEL, OPTIMIZER, SCHEDULER, TASK, Role
from lrsched.schemas.nodes import DEFAULTS, Written, closed, node_of, reserved, typed
from lrsched.schemas.types import LATER, Schema

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest draft that yaml-language-server knows whole."""

ROLES: Mapping[str, Role] = {role.group: role for role in (OPTIMIZER, SCHEDULER, TASK, MODEL, DATASET, AVERAGING)}
"""Groups whose files are a node each."""

TYPED: Mapping[str, type] = {"trainer": schema.TrainerConfig, "checkpoint": schema.CheckpointConfig}
"""Groups whose files are keys of our own."""

WHOLE = "config"
"""The schema of files that are merged into the whole config: experiments, and the config itself."""

LATER_TEXT: Schema = {"type": "string", "pattern": LATER}
FOREIGN = r"^(?!lrsched\.)[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
"""A class of PyTorch or of a user's own, whose arguments are not known."""


@dataclass
class Group:
    """What is known of a config group.

    Args:
        role: what its files may name.
        classes: by dotted name.
        written: what the first YAML of each class says.
        choices: the class of each file, by its name in overrides; None: not known.
        shared: names of files that others are made of.
    """

    role: Role
    classes: dict[str, type] = field(default_factory=dict[str, type])
    written: dict[str, Written] = field(default_factory=dict[str, Written])
    choices: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    shared: list[str] = field(default_factory=list[str])


def group_schema(group: Group) -> Schema:
    """The schema of the files of a group whose files are a node each: that of the class which a file names."""
    known = {target: node_of(group.role, target, cls, group.written[target]) for target, cls in group.classes.items()}
    own = {**reserved(group.role, None, Written()), "defaults": _own_defaults(group)}
    target = {"anyOf": [{"enum": list(known)}, {"type": "string", "pattern": f"{FOREIGN}|{LATER}"}]}
    found: Schema = {"type": ["object", "null"], "properties": {"_target_": target}, "allOf": []}
    for name in known:
        files = [choice for choice, of in group.choices.items() if of == name]
        named = {"properties": {"_target_": {"const": name}}, "required": ["_target_"]}
        made_of = {
            "not": {"required": ["_target_"]},
            "properties": {"defaults": {"contains": {"enum": files}}},
            "required": ["defaults"],
        }
        found["allOf"].append(
            {"if": {"anyOf": [named, *([made_of] if files else [])]}, "then": {"$ref": f"#/definitions/{name}"}}
        )
    foreign = {"properties": {"_target_": {"not": {"enum": list(known)}}}}
    found["allOf"].append({"if": foreign, "then": {"properties": own}})
    return {**found, "definitions": {**_written_once(known), "any": _any(known, own)}}


def _written_once(nodes: Mapping[str, Schema]) -> dict[str, Schema]:
    """The same nodes; a key that is the same in several is a definition of its own."""
    places: dict[str, list[tuple[str, str]]] = {}
    for target, node in nodes.items():
        for name, found in node["properties"].items():
            places.setdefault(json.dumps(found, sort_keys=True), []).append((target, name))
    properties = {target: dict(node["properties"]) for target, node in nodes.items()}
    common: dict[str, Schema] = {}
    for where in places.values():
        (first, name), *more = where
        if more and len(nodes[first]["properties"][name]) > 1:
            title = name if name not in common else f"{name}.{sum(key.startswith(f'{name}.') for key in common) + 1}"
            common[title] = nodes[first]["properties"][name]
            for target, key in where:
                properties[target][key] = {"$ref": f"#/definitions/{title}"}
    return {**{target: {**node, "properties": properties[target]} for target, node in nodes.items()}, **common}


def _any(known: Mapping[str, Schema], own: Mapping[str, Schema]) -> Schema:
    """A node of any of the classes: it has the keys that one of them has, and those of the group."""
    names = dict.fromkeys(name for node in known.values() for name in node["properties"])
    found: Schema = {"properties": {**{name: {} for name in names}, **own}}
    closed_all = all(node.get("additionalProperties") is False for node in known.values())
    return {**found, "additionalProperties": False} if closed_all else found


def _own_defaults(group: Group) -> Schema:
    names = [*group.choices, *group.shared, "_self_"]
    return {"type": "array", "items": {"anyOf": [{"enum": names}, {"type": "object"}, {"pattern": f"/|{LATER}"}]}}


def loggers_schema(group: Group) -> Schema:
    """The schema of the files of ``logger``: a key for each logger."""
    node = group_schema(group)
    definitions = node.pop("definitions") | {"node": node}
    found = {"type": ["object", "null"], "properties": {"defaults": _own_defaults(group)}}
    return {**found, "additionalProperties": {"$ref": "#/definitions/node"}, "definitions": definitions}


def typed_schema(cls: type, written: Written) -> Schema:
    """The schema of the files of a group whose keys are all our own."""
    return closed({"defaults": DEFAULTS, **typed(cls, written)}) | {"type": ["object", "null"]}


def whole_schema(groups: Mapping[str, Group], names: Mapping[str, Sequence[str]], written: Written) -> Schema:
    """The schema of a whole config, or a part of one.

    Args:
        groups: those whose files are a node each.
        names: the choices of every group.
        written: what conf/config.yaml says.
    """
    properties = typed(schema.RunConfig, written)
    for group in (*ROLES, *TYPED, "logger"):
        properties[group] = {"$ref": f"{group}.json"}
    properties["defaults"] = _defaults(names)
    properties["hydra"] = {"description": "Hydra's own keys.", "type": "object"}
    rules = [rule for name, group in groups.items() for rule in _chosen(name, group)]
    return closed(properties) | {"type": ["object", "null"], "allOf": rules}


def _choice(group: str) -> str:
    literal = re.sub(r"[\\^$.*+?()[\]{}|]", r"\\\g<0>", group)  # re.escape's dash is none of ECMA's
    return f"^(override |optional )*/?{literal}(@.*)?$"


def _defaults(names: Mapping[str, Sequence[str]]) -> Schema:
    """The list ``defaults``: a choice for each group."""
    groups: dict[str, Schema] = {}
    for group, choices in names.items():
        known: Iterable[Any] = [{"enum": [*choices, None]}, LATER_TEXT]
        known = [*known, {"type": "string"}] if group.startswith("hydra/") else known  # plugins have theirs
        groups[_choice(group)] = {"anyOf": [*known, {"type": "array", "items": {"anyOf": known}}]}
    return {"type": "array", "items": {"type": ["string", "object"], "patternProperties": groups}}


def _chosen(name: str, group: Group) -> Iterable[Schema]:
    """The group's node has the keys of the class that the file's ``defaults`` choose, or else of any."""
    free = {"properties": {name: {"not": {"required": ["_target_"]}}}}
    entry = {"type": "object", "propertyNames": {"pattern": _choice(name)}}
    for target in group.classes:
        files = [choice for choice, of in group.choices.items() if of == target]
        if files:
            chosen = {"contains": {**entry, "minProperties": 1, "additionalProperties": {"enum": files}}}
            when = {**free, "required": ["defaults", name]}
            when = {**when, "properties": {**free["properties"], "defaults": chosen}}
            yield {"if": when, "then": {"properties": {name: {"$ref": f"{name}.json#/definitions/{target}"}}}}
    other = {"properties": {**free["properties"], "defaults": {"not": {"contains": {**entry, "minProperties": 1}}}}}
    yield {"if": other, "then": {"properties": {name: {"$ref": f"{name}.json#/definitions/any"}}}}


def text_schema(title: str, found: Schema, made_with: str) -> Schema:
    """The schema with its head."""
    return {"$schema": DRAFT, "$comment": made_with, "title": title, **found}
