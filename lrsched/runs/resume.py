"""Resume a run: its stored config, with the changes that the command may make."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lrsched.compose.diff import Difference, as_text, check_allowed, differences, recorded, refuse, refuse_fixed
from lrsched.compose.errors import as_user_errors
from lrsched.compose.nodes import plain, put, raw, within
from lrsched.compose.onto import onto
from lrsched.compose.stored import check_folder, reaching_out, read_config
from lrsched.config.digest import config_sha256, hands, is_named_by_root
from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.fast.keys import settled
from lrsched.records import RunFolder
from lrsched.runs.lengthen import LENGTH, lengthen
from lrsched.runs.request import RunRequest

if TYPE_CHECKING:
    from omegaconf import DictConfig

FREE = (
    "logger",
    "checkpoint",
    "trainer.progress",
    "trainer.profile",
    "trainer.show_every",
    "trainer.keep_memory",
    "trainer.processes",
    "dataset.root",
    "dataset.cache_root",
    "device",
    "threads",
    "sweep",
)
"""Keys that never change a number of any run; the command's values replace the stored ones."""

EVERYWHERE = ("experiment", "debug")
"""Groups that may set any key."""

OF_THE_COMMAND = ("checkpoint.allow_change", "checkpoint.inexact")
"""Permissions, which last for one command."""

CHANGES = "checkpoint.changes"


def run_folder(path: str) -> RunFolder:
    """The folder that ``resume=`` names, checked: it holds a run, and no link leads out of it.

    Raises:
        ConfigError: it holds no run.
        CheckpointError: a link leads out of it.
    """
    folder = RunFolder(Path(path))
    must_hold_a_run("resume", folder)
    check_folder(folder)
    return folder


def must_hold_a_run(key: str, folder: RunFolder) -> None:
    """Refuse a path without a run, and suggest the one that was probably meant.

    Raises:
        ConfigError: the path holds no run.
    """
    path = folder.path
    if folder.holds_a_run():
        return
    if (path / "multirun.yaml").exists():
        raise ConfigError(key, str(path), "is a sweep, not a run", f"its runs are {path}/*/; -m again goes on with all")
    if path.is_file():
        rule = "is a file, not the folder of a run"
    else:
        rule = "there is no run in this folder" if path.is_dir() else "there is no such folder"
    above = next((parent for parent in path.parents if (parent / "config.yaml").exists()), None)
    if above is not None:
        raise ConfigError(key, str(path), rule, f"its run is {above}")
    beside = path.absolute().parent
    runs = [str(found.parent) for place in (beside, Path("outputs")) for found in place.glob("*/config.yaml")]
    names = {Path(run).name: run for run in runs}
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    remedy = f"did you mean {os.path.relpath(names[close[0]])}?" if close else "a run's folder holds a config.yaml"
    raise ConfigError(key, str(path), rule, remedy)


def stored(folder: RunFolder, composed: DictConfig, overrides: Sequence[str]) -> RunRequest:
    """Request the rest of a run: its stored config, with the changes that the command may make.

    An override counts if it does not change what the run computes, or if ``checkpoint.allow_change`` names its key;
    any other difference from the stored config is refused.

    Args:
        folder: of the run.
        composed: config of the command that continues it.
        overrides: of this command.

    Raises:
        ConfigError: an override that changes the run, or a stored value that asks for the environment.
        CheckpointError: the stored config cannot be read, or there is no checkpoint to change it at.
    """
    before = read_config(folder)
    free = free_keys(before)
    asked = _asked(overrides, composed, free)
    permissions = {key: raw(before, key) for key in OF_THE_COMMAND}
    _take_given(before, composed, asked)
    digest = config_sha256(plain(before))
    if not {_key(item) for item in overrides} & set(EVERYWHERE):
        with as_user_errors(overrides):
            composed = onto(_without_permissions(before), composed, overrides)
    asks, composed = composed, settled(composed, before)

    own = sorted(key for key in asked - {*LENGTH, "trainer.on_extend"} if not within(key, asked - {key}))
    changes = [change for key in own if not within(key, free) for change in differences(key, before, composed)]
    allowed = check_allowed(raw(composed, "checkpoint.allow_change") or [], composed)
    refuse_fixed(changes)
    left = [change for change in changes if not within(change.key, allowed)]
    _refuse_to_choose(left, overrides, anew=asks is not composed)
    refuse(left)

    config = deepcopy(before)
    for key in dict.fromkeys(change.asked for change in changes):
        put(config, key, raw(composed, key))
    _take_free(config, composed, [key for key in own if within(key, free)])
    at = cache(lambda: _newest_step(folder))
    keys = recorded(changes, before, composed) | lengthen(config, composed, asked, at)
    if keys:
        history = raw(config, CHANGES) or []
        put(config, CHANGES, [*history, {"at": at(), "config_sha256": digest, "keys": keys}])
    kept = deepcopy(config)  # for the next command, without the permissions of this one
    for key, value in permissions.items():
        put(kept, key, value)
    put(config, "checkpoint.allow_change", allowed)
    return RunRequest(folder, config, kept=kept, resume=True, changed=bool(keys))


def continued(folder: RunFolder, composed: DictConfig, overrides: Sequence[str]) -> RunRequest:
    """Request the rest of a sweep's job: its stored config alone, whose hash is in its name, and free keys."""
    check_folder(folder)
    free = free_keys(read_config(folder))
    return stored(folder, composed, [item for item in overrides if within(_key(item), free)])


def free_keys(stored: DictConfig) -> tuple[str, ...]:
    """The keys that never change a number of this run."""
    dataset = raw(stored, "dataset")
    free = [key for key in FREE if key != "dataset.root" or not is_named_by_root(dataset)]
    return (*free, *(f"dataset.{name}" for name in hands(dataset)))


def finished(folder: RunFolder) -> bool:
    """Whether a run has finished."""
    return (folder.read_result() or {}).get("status") == "finished"


def _without_permissions(stored: DictConfig) -> DictConfig:
    config = deepcopy(stored)
    put(config, "checkpoint.allow_change", [])
    put(config, "checkpoint.inexact", False)
    return config


def _asked(overrides: Sequence[str], composed: DictConfig, free: Sequence[str]) -> set[str]:
    """The keys that a command line sets."""
    asked = {_key(item) for item in overrides}
    if asked & set(EVERYWHERE):
        asked |= {str(key) for key in composed if not within(str(key), free)}
    if CHANGES in asked:
        raise ConfigError(CHANGES, raw(composed, CHANGES), "is written by a resumed run, and not for the hand")
    return asked - {"resume", "name", *EVERYWHERE}


def _refuse_to_choose(changes: Sequence[Difference], overrides: Sequence[str], *, anew: bool) -> None:
    """Refuse a choice of the group ``trainer`` that asks for what is fastest, and brings other values too.

    Raises:
        ConfigError: there is one.
    """
    change = next((each for each in changes if each.asked == "trainer"), None)
    if change is not None and anew:
        value = next(item for item in overrides if _key(item) == "trainer").partition("=")[2]
        rule = "what is fastest is chosen once, when a run begins, and stored: a resumed run chooses nothing anew; and "
        rule += f"the other values of the choice are not those of the run, as {change.key}={as_text(change.new)}, "
        rule += f"where it has {as_text(change.old)}"
        raise ConfigError("trainer", value, rule, "leave it out, or start a new run with it")


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].split("@")[0].replace("/", ".")


def _take_given(stored: DictConfig, composed: DictConfig, asked: set[str]) -> None:
    """Replace stored values that read the environment by the command's; never resolve the stored ones."""
    for key, text in reaching_out(stored).items():
        given = next((name for name in asked if within(key, [name])), None)
        if given is None:
            rule = "a config that is read back may refer to its own keys, and not to the environment or anything else"
            raise ConfigError(key, text, rule, f"if you trust it, give it again: {key}='{text}'")
        put(stored, given, raw(composed, given))


def _take_free(stored: DictConfig, composed: DictConfig, keys: Sequence[str]) -> None:
    """Take the command's values of free keys and print the new ones; keep the history of changes."""
    history = raw(stored, CHANGES) or []
    new: list[Difference] = []
    for key in keys:
        new += [change for change in differences(key, stored, composed) if change.key not in (*OF_THE_COMMAND, CHANGES)]
        put(stored, key, raw(composed, key))
    put(stored, CHANGES, history)
    if new:
        say(f"the new value counts: {'; '.join(map(str, new))}")


def _newest_step(folder: RunFolder) -> int:
    from lrsched.checkpoint.store import Store  # imports torch

    return Store(folder.checkpoints).newest()[0].step
