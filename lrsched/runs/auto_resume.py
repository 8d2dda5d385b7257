"""``resume=auto``: find the newest unfinished run of the same config, for a command that a cluster repeats.

Import no torch: configs are read and hashed, and manifests are JSON.
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
from lrsched.fast.keys import settled
from lrsched.records import RunFolder
from lrsched.runs.initial import refuse_changed_source
from lrsched.runs.resume import finished
from lrsched.runs.steps import stands_at

if TYPE_CHECKING:
    from omegaconf import DictConfig

AUTO = "auto"
_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:-\d+)?")
_PAST = {"extensions": [], "on_extend": None}
"""Keys that say how a run came to its length; runs of one config may differ in them."""


def newest_unfinished(composed: DictConfig, name: str | None) -> RunFolder | None:
    """Find the run to go on with, or None, and print which.

    The newest run started last: by its name if that is a time stamp, else by the first row of ``timing.jsonl``,
    which never changes; then by the step of its newest checkpoint, then by name. Modification times do not count:
    copying changes them.

    Args:
        composed: the config of this command.
        name: consider this run alone, even if it is finished.
    """
    found = []
    for folder in _folders(name):
        if name is None and finished(folder):
            continue
        try:
            config = read_config(folder)
            strangers = reaching_out(config)
            if strangers:  # resolve it only if this command says the same
                same = all(reaching_out(composed).get(key) == text for key, text in strangers.items())
                config = config if same else None
            if config is not None and _identity(config) == _identity(settled(composed, config)):
                refuse_changed_source(folder, composed.get("init_from"))
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
    """Hash the config of a run without its history."""
    bare = copied(config)
    for key, value in _PAST.items():
        put(bare, f"trainer.{key}", value)
    return config_sha256(plain(bare))


def _age(folder: RunFolder) -> tuple[str, int, str]:
    """A key that sorts runs by their start."""
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
