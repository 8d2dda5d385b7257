"""Going on with a run that was started before, with the config it was started with."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from omegaconf import DictConfig

from lrsched.assembly.extend import LENGTH, lengthen
from lrsched.compose.diff import Difference, check_allowed, differences, recorded, refuse, refuse_fixed
from lrsched.compose.nodes import copied, plain, put, raw, within
from lrsched.compose.stored import check_folder, reaching_out, read_config
from lrsched.config.digest import config_sha256
from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.records import RunFolder
from lrsched.runs.request import Job

FREE = (
    "logger",
    "checkpoint",
    "trainer.progress",
    "trainer.profile",
    "dataset.root",
    "device",
    "threads",
    "sweep",
)
"""Keys whose change does not change what the run computes; the new value counts."""

EVERYWHERE = ("experiment", "debug")
"""Groups whose choice may set any key."""

OF_THE_COMMAND = ("checkpoint.allow_change", "checkpoint.inexact")
"""Permissions: for the command that gives them, and not for the next one."""

CHANGES = "checkpoint.changes"


def run_folder(path: str) -> RunFolder:
    """The folder that ``resume=`` names, if it holds a run and nothing that leads out of it.

    Raises:
        ConfigError: there is no run.
        CheckpointError: a name in it leads elsewhere.
    """
    folder = RunFolder(Path(path))
    must_hold_a_run("resume", folder)
    check_folder(folder)
    return folder


def must_hold_a_run(key: str, folder: RunFolder) -> None:
    """Refuse a path where there is no run, with the one that was probably meant.

    Raises:
        ConfigError: there is no run.
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


def stored(folder: RunFolder, composed: DictConfig, overrides: Sequence[str]) -> Job:
    """What is left to do of a run: with the config that it was started with, and changes that are allowed.

    What the command line sets besides is compared with the stored config: it counts where it does not
    change what the run computes, or where ``checkpoint.allow_change`` names it; else it is refused.

    Args:
        folder: of the run.
        composed: the config of the command that continues it.
        overrides: of this command.

    Raises:
        ConfigError: an override that changes the run, or a stored value that asks for the environment.
        CheckpointError: the stored config cannot be read, or there is no checkpoint to change it at.
    """
    saved = read_config(folder)
    permissions = {key: raw(saved, key) for key in OF_THE_COMMAND}
    asked = _asked(overrides, composed)
    _take_given(saved, composed, asked)
    before = config_sha256(plain(saved))

    own = sorted(key for key in asked - {*LENGTH, "trainer.on_extend"} if not within(key, asked - {key}))
    changes = [change for key in own if not within(key, FREE) for change in differences(key, saved, composed)]
    permitted = check_allowed(raw(composed, "checkpoint.allow_change") or [], composed)
    refuse_fixed(changes)
    refuse([change for change in changes if not within(change.key, permitted)])
    keys = recorded(changes, saved, composed)
    for key in dict.fromkeys(change.asked for change in changes):
        put(saved, key, raw(composed, key))
    _take_free(saved, composed, [key for key in own if within(key, FREE)])

    at = cache(lambda: _newest_step(folder))
    keys |= lengthen(saved, composed, asked, at)
    if keys:
        history = raw(saved, CHANGES) or []
        put(saved, CHANGES, [*history, {"at": at(), "config_sha256": before, "keys": keys}])
    kept = copied(saved)
    for key, value in permissions.items():
        put(kept, key, value)
    put(saved, "checkpoint.allow_change", permitted)
    return Job(folder, saved, kept=kept, resume=True, changed=bool(keys))


def continued(folder: RunFolder, composed: DictConfig, overrides: Sequence[str]) -> Job:
    """What is left to do of a sweep's job: with the config that is stored, which its name has the hash of."""
    check_folder(folder)
    return stored(folder, composed, [item for item in overrides if within(_key(item), FREE)])


def finished(folder: RunFolder) -> bool:
    """Whether a run has come to its end."""
    return (folder.read_result() or {}).get("status") == "finished"


def say_finished(folder: RunFolder) -> None:
    say(f"{folder} is finished: {(folder.read_result() or {}).get('reason')}; nothing to do")


def _asked(overrides: Sequence[str], composed: DictConfig) -> set[str]:
    """The keys that a command line sets."""
    asked = {_key(item) for item in overrides}
    if asked & set(EVERYWHERE):
        asked |= {str(key) for key in composed if not within(str(key), FREE)}
    if CHANGES in asked:
        raise ConfigError(CHANGES, raw(composed, CHANGES), "is written by a resumed run, and not for the hand")
    return asked - {"resume", "name", *EVERYWHERE}


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].split("@")[0].replace("/", ".")


def _take_given(saved: DictConfig, composed: DictConfig, asked: set[str]) -> None:
    """Where a stored value asks for the environment, the command line's is taken; the stored one is never resolved."""
    for key, text in reaching_out(saved).items():
        given = next((name for name in asked if within(key, [name])), None)
        if given is None:
            rule = "a config that is read back may refer to its own keys, and not to the environment or anything else"
            raise ConfigError(key, text, rule, f"if you trust it, give it again: {key}='{text}'")
        put(saved, given, raw(composed, given))


def _take_free(saved: DictConfig, composed: DictConfig, keys: Sequence[str]) -> None:
    """The new value counts, and is said; the history of changes stays."""
    history = raw(saved, CHANGES) or []
    told: list[Difference] = []
    for key in keys:
        told += [change for change in differences(key, saved, composed) if change.key not in (*OF_THE_COMMAND, CHANGES)]
        put(saved, key, raw(composed, key))
    put(saved, CHANGES, history)
    if told:
        say(f"the new value counts: {'; '.join(map(str, told))}")


def _newest_step(folder: RunFolder) -> int:
    from lrsched.checkpoint import Store  # imports torch

    return Store(folder.checkpoints).newest()[0].step
