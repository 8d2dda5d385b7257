"""Make the JSON schemas of folders of YAML files, and the line by which each file names its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from lrsched.config.targets import LOGGER, Role, resolve
from lrsched.errors import UNSET, ConfigError
from lrsched.schemas.comments import comments
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
from lrsched.sweep.sweepers.base import NoOptions
from lrsched.sweep.sweepers.halving import HalvingOptions
from lrsched.sweep.sweepers.options import StudyOptions

FOLDER = ".schemas"
"""The folder of the schemas, beside the groups."""

MODELINE = "# yaml-language-server: $schema="
PACKAGE = re.compile(r"#\s*@package\s+_global_")

HYDRAS: Mapping[str, Mapping[str, type]] = {
    "hydra/sweeper": {"grid": NoOptions, "halving": HalvingOptions, "optuna": StudyOptions},
    "hydra/launcher": {"pool": NoOptions},
}
"""Hydra's groups, and the keys of our choices in them."""

Tell = Callable[[str], object]


@dataclass(frozen=True)
class File:
    """A YAML file of a config.

    Args:
        folder: of the config.
        path: in that folder, without suffix: ``scheduler/torch/StepLR``.
        text: what is in it.
    """

    folder: Path
    path: str
    text: str

    @property
    def place(self) -> Path:
        """Where it is."""
        return (self.folder / f"{self.path}.yaml").resolve()

    @property
    def group(self) -> str:
        """Its config group; "" at the top."""
        first, _, rest = self.path.partition("/")
        group = f"{first}/{rest.partition('/')[0]}" if first == "hydra" else first
        return group if self.path.startswith(f"{group}/") else ""

    @property
    def name(self) -> str:
        """Its name in its group, as in an override."""
        return self.path.removeprefix(f"{self.group}/")

    @property
    def schema(self) -> str | None:
        """The name of its schema; None: it is of a group that is not ours."""
        if PACKAGE.match(self.text) or not self.group:
            return WHOLE
        known = (*ROLES, *TYPED, *HYDRAS, "logger")
        return self.group.replace("/", ".") if self.group in known else None

    @property
    def line(self) -> str:
        """The comment by which it names its schema."""
        return f"{MODELINE}{'../' * self.path.count('/')}{FOLDER}/{self.schema}.json"

    def lined(self) -> str:
        """Its text with that line: the first one, or the one below the line that Hydra reads."""
        lines = [line for line in self.text.splitlines(keepends=True) if not line.startswith(MODELINE)]
        lines.insert(1 if lines and PACKAGE.match(lines[0]) else 0, f"{self.line}\n")
        return "".join(lines)

    @property
    def values(self) -> Mapping[str, Any]:
        """What it says, not composed."""
        try:
            found: Any = yaml.safe_load(self.text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise ConfigError(str(self.place), UNSET, f"is no YAML{where}", "mend it") from error
        return found if isinstance(found, Mapping) else {}


def files_in(folder: Path) -> list[File]:
    """The YAML files of a config folder, in order of their names."""
    paths = sorted(path.relative_to(folder).with_suffix("") for path in folder.rglob("*.yaml"))
    return [File(folder, path.as_posix(), _text(folder / f"{path}.yaml")) for path in paths]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), UNSET, "is not UTF-8", "save it as UTF-8") from error


def schemas(folders: Sequence[Path], tell: Tell) -> dict[str, str]:
    """The text of each schema by the name of its file.

    Args:
        folders: of configs; of files of one name, that of the first counts.
        tell: is told of each class that cannot be read, so that its keys are not known.
    """
    files = {file.path: file for folder in reversed(folders) for file in files_in(folder)}
    of_group: dict[str, dict[str, File]] = {}
    for path in sorted(files):
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
        f"{name}.json": json.dumps(text_schema(name, each, made_with), indent=1, ensure_ascii=False) + "\n"
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
    if name not in files:
        return Written()
    own, words = files[name].values, comments(files[name].text)
    for base in own.get("defaults") or ():
        if isinstance(base, str) and base != name and base in files:
            more = _written(files, base)
            own = {**more.values, **own}
            words = {**more.words, **words}
    return Written({key: value for key, value in own.items() if key != "defaults"}, words)


def _hydras(files: Mapping[str, File], options: Mapping[str, type]) -> Schema:
    """The schema of a group of Hydra: the keys of our choices, by their class."""
    rules: list[Schema] = []
    for name in (name for name in options if name in files):
        written = _written(files, name)
        own = {"_target_": {}, "defaults": {}, **typed(options[name], written)}
        if "params" in written.values:
            own["params"] = written.describe("params", {"type": "object"})
        target = written.values["_target_"]
        when = {"properties": {"_target_": {"const": target}}, "required": ["_target_"]}
        rules.append({"if": when, "then": closed(own)})
    return {"type": "object", "properties": {"_target_": {"type": "string"}}, "allOf": rules}
