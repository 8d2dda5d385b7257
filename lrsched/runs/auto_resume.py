"""``resume=auto``: the newest unfinished run of the same config, for a line that a scheduler gives again and again.

Nothing here needs torch: configs are read and hashed, and manifests are JSON.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.compose.nodes import copied, plain, put
from lrsched.compose.stored import reaching_out, read_config
from lrsched.config.digest import config_sha256
from lrsched.console import say
from lrsched.errors import ConfigError, UserError
from lrsched.records import RunFolder
from lrsched.runs.resume import finished
from lrsched.runs.steps import stands_at

if TYPE_CHECKING:
    from omegaconf import DictConfig

AUTO = "auto"
_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:-\d+)?")
_PAST = {"extensions": [], "on_extend": None}
"""What a config says of how it came to be; two runs that are now of one config may have come by other ways."""


def newest_unfinished(composed: DictConfig, name: str | None) -> RunFolder | None:
    """The run to go on with, or None; either is said.

    Newest is who was started last: by the name, where that is a time stamp, and else by the first row of
    ``timing.jsonl``, which never changes; equal ones by the step of the newest checkpoint, and by name.
    The times of files are not asked: copying changes them.

    Args:
        composed: the config of this command.
        name: look at this run alone, finished or not: a finished one is left as it is.
    """
    wanted = _identity(composed)
    found = []
    for folder in _folders(name):
        if name is None and finished(folder):
            continue
        try:
            config = read_config(folder)
            strangers = reaching_out(config)
            if strangers:  # it is not resolved unless this command says the same
                same = all(reaching_out(composed).get(key) == text for key, text in strangers.items())
                config = config if same else None
            if config is not None and _identity(config) == wanted:
                found.append(folder)
        except (UserError, OSError) as error:
            say(f"resume=auto passes over {folder}: {error}")
    if name and not found and RunFolder(Path("outputs") / name).holds_a_run():
        rule = f"outputs/{name} holds a run of another config"
        raise ConfigError("name", name, rule, "give another name, or the config of that run: resume=outputs/" + name)
    if not found:
        where = f"outputs/{name}" if name else "outputs/"
        say(f"resume=auto: there is no unfinished run of this config in {where}; a new one is started")
        return None
    newest = max(found, key=_age)
    others = f", the newest of {len(found)}" if len(found) > 1 else ""
    say(f"resume=auto: {newest}{others}")
    return newest


def _folders(name: str | None) -> Iterator[RunFolder]:
    """Run folders in ``outputs``, and those of sweeps below it."""
    patterns = ("*/config.yaml", "*/*/config.yaml") if name is None else (f"{name}/config.yaml",)
    for pattern in patterns:
        for config in sorted(Path("outputs").glob(pattern)):
            yield RunFolder(config.parent)


def _identity(config: DictConfig) -> str:
    """Hash of what a run is to compute, however it came to that."""
    bare = copied(config)
    for key, value in _PAST.items():
        put(bare, f"trainer.{key}", value)
    return config_sha256(plain(bare))


def _age(folder: RunFolder) -> tuple[str, int, str]:
    """Sorts runs by their start."""
    name = folder.path.name
    started = name if _STAMP.fullmatch(name) else _first_row(folder)
    return started, stands_at(folder), name


def _first_row(folder: RunFolder) -> str:
    try:
        with open(folder.timing, encoding="utf-8") as rows:
            begun = float(json.loads(rows.readline())["time"])
        return time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(begun))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return ""
