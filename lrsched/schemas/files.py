"""The YAML files of a folder: which are configs of ours, what they say, and the line by which each names its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from lrsched.errors import UNSET, ConfigError
from lrsched.schemas.groups import ROLES, TYPED, WHOLE
from lrsched.schemas.plain import read
from lrsched.sweep.sweepers.base import NoOptions
from lrsched.sweep.sweepers.halving import HalvingOptions
from lrsched.sweep.sweepers.options import StudyOptions

FOLDER = ".schemas"
"""The folder of the schemas, beside the groups."""

MODELINE = "# yaml-language-server: $schema="
PACKAGE = re.compile(r"#\s*@package\s+_global_")
DEFAULTS = re.compile(r"^defaults:(?:\s|#.*)*[-\[]", re.MULTILINE)
"""A list of defaults, which a root config of Hydra has."""

MARK = "\ufeff"
"""What some editors put before the first line: a byte order mark."""

HYDRAS: Mapping[str, Mapping[str, type]] = {
    "hydra/sweeper": {"grid": NoOptions, "halving": HalvingOptions, "optuna": StudyOptions},
    "hydra/launcher": {"pool": NoOptions},
}
"""Hydra's groups, and the keys of our choices in them."""

OURS = (*ROLES, *TYPED, *HYDRAS, "logger")
"""The groups whose files have a schema of their own."""


@dataclass(frozen=True)
class File:
    """A YAML file of a config.

    Args:
        folder: of the config.
        path: in that folder, without suffix: ``scheduler/torch/StepLR``.
        text: what is in it, with its ends of lines.
    """

    folder: Path
    path: str
    text: str

    @property
    def place(self) -> Path:
        """Where it is."""
        return self.folder / f"{self.path}.yaml"

    @property
    def group(self) -> str:
        """Its config group; "" at the top."""
        return _group(self.path)

    @property
    def name(self) -> str:
        """Its name in its group, as in an override."""
        return self.path.removeprefix(f"{self.group}/")

    @cached_property
    def schema(self) -> str | None:
        """The name of its schema; None: it is no config of ours."""
        if is_hidden(self.path):
            return None
        if PACKAGE.match(self.body):
            return WHOLE
        if self.group:
            return self.group.replace("/", ".") if self.group in OURS else None
        return WHOLE if DEFAULTS.search(self.body) and any(map(_is_of_ours, self.defaults)) else None

    @property
    def body(self) -> str:
        """Its text without a byte order mark."""
        return self.text.removeprefix(MARK)

    @property
    def line(self) -> str:
        """The comment by which it names its schema."""
        return f"{MODELINE}{'../' * self.path.count('/')}{FOLDER}/{self.schema}.json"

    def lined(self) -> str:
        """Its text with that line: the first one, or the one below the line that Hydra reads."""
        lines = [line for line in self.body.splitlines(keepends=True) if not line.startswith(MODELINE)]
        end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
        below = bool(lines) and PACKAGE.match(lines[0]) is not None
        if below and len(lines) == 1:
            lines[0] = lines[0].rstrip("\r\n") + end
        lines.insert(int(below), f"{self.line}{end}")
        return self.text[: len(self.text) - len(self.body)] + "".join(lines)

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """What it says, not composed."""
        found = read(self.body, str(self.place))
        return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}

    @property
    def defaults(self) -> list[Any]:
        """What it is made of beside its own keys."""
        found: Any = self.values.get("defaults")
        if found is not None and not isinstance(found, list):
            rule = f"defaults={found} must be a list"
            raise ConfigError(str(self.place), UNSET, rule, "write each in a line of its own, as - cosine")
        return cast(list[Any], found or [])


def _group(path: str) -> str:
    first, _, rest = path.partition("/")
    group = f"{first}/{rest.partition('/')[0]}" if first == "hydra" else first
    return group if path.startswith(f"{group}/") else ""


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder that it is in, begins with a dot, as ``.github`` does."""
    return any(part.startswith(".") for part in path.split("/"))


def _is_of_ours(entry: Any) -> bool:
    """Whether an entry of a root config's ``defaults`` chooses in a group of ours, or is our whole config."""
    if isinstance(entry, Mapping):
        names = [re.sub(r"^(override |optional )*/?", "", str(key)) for key in cast(Mapping[Any, Any], entry)]
        return any(name.partition("@")[0] in OURS for name in names)
    return isinstance(entry, str) and (entry == WHOLE or _group(entry.lstrip("/")) in OURS)


def files_in(folder: Path) -> list[File]:
    """The YAML files of a folder, in order of their names.

    Raises:
        ConfigError: one of a group of ours is no regular file, or it or its name is not UTF-8.
    """
    paths = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return [File(folder, path, _text(folder / f"{path}.yaml", path)) for path in paths]


def _text(file: Path, path: str) -> str:
    if is_hidden(path):
        return ""
    ours = _group(path) in OURS
    if ours and any("\ud800" <= letter <= "\udfff" for letter in path):
        raise ConfigError(ascii(str(file)), UNSET, "has a name that is not UTF-8", "give it another one")
    if not file.is_file():  # a pipe would never end
        if ours:
            raise ConfigError(str(file), UNSET, "is no regular file", "move it away")
        return ""
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        if ours:
            raise ConfigError(str(file), UNSET, "is not UTF-8", "save it as UTF-8") from error
    except OSError:
        if ours:
            raise
    return ""
