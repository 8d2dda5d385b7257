"""Read a run folder that may come from a stranger: its config is data, its paths lead nowhere else.

A config that is read could unpack to any size, take values from the environment, or be written through a
link. Each ``_target_`` in it goes through the allowlist, like one that was typed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.config.versions import as_read_now
from lrsched.errors import CheckpointError
from lrsched.records import RunFolder

LARGEST = 2**20  # bytes; a config of ours has a few thousand
DEEPEST = 40
HARMLESS = ("oc.select", "oc.dict.keys", "oc.dict.values", "oc.deprecated")
"""Resolvers that read the config alone. Not oc.decode and oc.create: they evaluate a text, which may consist of
pieces that do not look like an interpolation, ``$`` and ``{oc.env:NAME}``."""

_OPEN = re.compile(r"(?<!\\)(?:\\\\)*\$\{")  # after an odd number of backslashes it is plain text
_REFERENCE = re.compile(rf"\$\{{\s*(?:[\w.\[\]/-]+\s*\}}|(?:{'|'.join(map(re.escape, HARMLESS))})\s*:)")


def check_folder(folder: RunFolder) -> None:
    """Refuse a run folder with a link: writing to it would write elsewhere.

    Raises:
        CheckpointError: an entry is a symbolic link, or neither a file nor a folder.
    """
    for entry in _entries(folder.path):
        mode = os.lstat(entry).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
            raise CheckpointError(f"{entry} is {kind}: a run is only continued in a folder that holds its own files")


def read_config(folder: RunFolder) -> DictConfig:
    """The stored config of a run, not resolved; bounded in size and depth.

    Raises:
        CheckpointError: it cannot be read, or is no config of ours.
    """
    try:
        with open(folder.config, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        text = content.decode("utf-8")
        _check_events(text)
        config = OmegaConf.create(text)
    except (OmegaConfBaseException, yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder.config} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, DictConfig):
        raise CheckpointError(f"{folder.config} is not a config: it is not a mapping")
    found = OmegaConf.to_container(config, resolve=False)
    return OmegaConf.create(as_read_now(found))  # type: ignore[arg-type]


def reaching_out(config: DictConfig) -> dict[str, str]:
    """The keys whose text refers to more than the config itself, with that text."""
    texts = _texts(OmegaConf.to_container(config, resolve=False))
    return {
        key: text for key, text in texts if any(not _REFERENCE.match(text, at.end() - 2) for at in _OPEN.finditer(text))
    }


def _check_events(text: str) -> None:
    """Refuse aliases, which can unpack to any size, and depth, on which a reader recurses."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has an alias (*name), which no config of ours has")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a config, names included, with its dotted key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = f"{key}.{name}".lstrip(".")
            yield inner, str(name)
            yield from _texts(item, inner)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(item, f"{key}[{i}]")


def _entries(folder: os.PathLike[str]) -> Iterator[str]:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry)
