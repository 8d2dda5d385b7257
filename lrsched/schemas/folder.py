"""Make the JSON schemas of folders of YAML files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lrsched.config.targets import LOGGER, Role, resolve
from lrsched.errors import UNSET, ConfigError
from lrsched.schemas.comments import comments
from lrsched.schemas.files import HYDRAS, File, files_in, is_hidden
from lrsched.schemas.groups import (
    ROLES,
    TYPED,
    WHOLE,
    Group,
    group_schema,
    loggers_schema,
    text_schema,
    typed_schema,
    whole_schema,
)
from lrsched.schemas.nodes import Written, closed, typed
from lrsched.schemas.types import Schema

Tell = Callable[[str], object]


def schemas(folders: Sequence[Path], tell: Tell) -> dict[str, str]:
    """The text of each schema by the name of its file.

    Args:
        folders: of configs; of files of one name, that of the first counts.
        tell: is told of each class that cannot be read, so that its keys are not known.
    """
    files = {file.path: file for folder in reversed(folders) for file in files_in(folder)}
    of_group: dict[str, dict[str, File]] = {}
    for path in sorted(path for path in files if path.isprintable() and not is_hidden(path)):
        of_group.setdefault(files[path].group, {})[files[path].name] = files[path]
    groups = {name: _group(role, of_group.get(name, {}), tell) for name, role in ROLES.items()}
    loggers = _group(LOGGER, of_group.get("logger", {}), tell)
    names = {group: sorted(found, key=lambda name: name[0] == "_") for group, found in of_group.items() if group}
    found = {name: group_schema(group) for name, group in groups.items()}
    found["logger"] = loggers_schema(loggers)
    found |= {name: typed_schema(cls, _written(of_group[name], "default")) for name, cls in TYPED.items()}
    for name, options in HYDRAS.items():
        found[name.replace("/", ".")] = _hydras(of_group.get(name, {}), options)
    found[WHOLE] = whole_schema(groups, names, _written(of_group[""], "config"))
    made_with = f"lrsched schema; torch {torch.__version__.partition('+')[0]}"
    return {
        f"{name}.json": json.dumps(text_schema(name, each, made_with), indent=1, ensure_ascii=False, allow_nan=False)
        + "\n"
        for name, each in sorted(found.items())
    }


def _group(role: Role, files: Mapping[str, File], tell: Tell) -> Group:
    group = Group(role)
    for name, file in files.items():
        written = _written(files, name)
        if name.rpartition("/")[2].startswith("_"):
            group.shared.append(name)
            continue
        group.choices[name] = None
        for node, words in _nodes(role, written):
            target = node.get("_target_")
            if not isinstance(target, str) or target == "???":
                continue
            group.choices[name] = target
            try:
                group.classes.setdefault(target, resolve(role, target, role.group))
            except ConfigError as error:
                group.choices[name] = None
                tell(f"{file.place}: {error}; its keys are not checked")
                continue
            group.written.setdefault(target, Written(node, words))
    return group


def _nodes(role: Role, written: Written) -> Iterator[tuple[Mapping[str, Any], Mapping[str, str]]]:
    """The nodes of a file: itself, or each logger in it; with their comments."""
    if role is not LOGGER:
        yield written.values, written.words
        return
    for name, node in written.values.items():
        if isinstance(node, Mapping):
            words = {key.removeprefix(f"{name}."): text for key, text in written.words.items()}
            yield node, words


def _written(files: Mapping[str, File], name: str) -> Written:
    """What a file says, and before it the files of its group that it is made of."""
    return _made_of(files, name, (), {}) if name in files else Written()


def _made_of(files: Mapping[str, File], name: str, above: tuple[str, ...], known: dict[str, Written]) -> Written:
    file, chain = files[name], (*above, name)
    if name in above:
        rule = f"its defaults lead back to itself: {', '.join(chain)}"
        raise ConfigError(str(file.place), UNSET, rule, "take one of them out")
    if name in known:
        return known[name]
    own, words = file.values, comments(file.body)
    for base in file.defaults:
        if isinstance(base, str) and base != name and base in files:
            more = _made_of(files, base, chain, known)
            own = {**more.values, **own}
            words = {**more.words, **words}
    known[name] = Written({key: value for key, value in own.items() if key != "defaults"}, words)
    return known[name]


def _hydras(files: Mapping[str, File], options: Mapping[str, type]) -> Schema:
    """The schema of a group of Hydra: the keys of our choices, by their class."""
    rules: list[Schema] = []
    for name in (name for name in options if name in files):
        written = _written(files, name)
        own = {"_target_": {}, "defaults": {}, **typed(options[name], written)}
        if "params" in written.values:
            own["params"] = written.describe("params", {"type": "object"})
        target = written.values.get("_target_")
        when = {"properties": {"_target_": {"const": target}}, "required": ["_target_"]}
        rules.append({"if": when, "then": closed(own)})
    return {"type": "object", "properties": {"_target_": {"type": "string"}}, "allOf": rules}
