"""Read a run folder that may come from a stranger.

Its config could unpack to any size, read the environment, or make us write through a link: this refuses all three. A
``_target_`` in it goes through the allowlist, like one that was typed.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, NoReturn

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.nodes import as_written
from lrsched.config.versions import as_read_now
from lrsched.config.walk import leaves
from lrsched.errors import CheckpointError
from lrsched.records import RunFolder

LARGEST = 2**20  # bytes; a config of ours has a few thousand
DEEPEST = 40
HARMLESS = ("oc.select", "oc.dict.keys", "oc.dict.values", "oc.deprecated")
"""Resolvers that read the config alone. Not oc.decode and oc.create: they evaluate a text, which may join pieces
that look harmless, ``$`` and ``{oc.env:NAME}``."""

_OPEN = re.compile(r"(?<!\\)(?:\\\\)*\$\{")  # an odd number of backslashes makes it plain text
_REFERENCE = re.compile(rf"\$\{{\s*(?:[\w.\[\]/-]+\s*\}}|(?:{'|'.join(map(re.escape, HARMLESS))})\s*:)")


def check_folder(folder: RunFolder) -> None:
    """Refuse a run folder with a link: writing to it would write elsewhere.

    Raises:
        CheckpointError: an entry is a symbolic link, or neither a file nor a folder.
    """
    for path, folders, files in os.walk(folder.path, onerror=_raise):
        for entry in (os.path.join(path, name) for name in (*folders, *files)):
            mode = os.lstat(entry).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise CheckpointError(f"{entry} is {kind}: a run is only resumed in a folder that holds its own files")


def read_config(folder: RunFolder) -> DictConfig:
    """Read the stored config of a run, not resolved; bounded in size and depth.

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
        config: Any = OmegaConf.create(text)
    except (OmegaConfBaseException, yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder.config} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, DictConfig):
        raise CheckpointError(f"{folder.config} is not a config: it is not a mapping")
    written = as_written(config)
    now = as_read_now(written)
    return config if now == written else OmegaConf.create(now)


def reaching_out(config: DictConfig) -> dict[str, str]:
    """Find the texts that refer to more than the config itself, names of keys included, by key."""
    found: dict[str, str] = {}
    for key, value in leaves(as_written(config)):
        for text in (key, value):
            if isinstance(text, str) and any(not _REFERENCE.match(text, at.end() - 2) for at in _OPEN.finditer(text)):
                found[key] = text
    return found


def _check_events(text: str) -> None:
    """Refuse aliases, which can unpack to any size, and depth, at which a reader recurses."""
    depth = 0
    reader: Any = yaml  # its annotations are incomplete
    for event in reader.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has an alias (*name), which no config of ours has")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")


def _raise(error: OSError) -> NoReturn:
    raise error
