"""Going on with a run that was started before, with the config it was started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.app.extension import LENGTH, lengthen
from lrsched.app.messages import say
from lrsched.errors import UNSET, CheckpointError, ConfigError
from lrsched.records import RunFolder

FREE = (
    "resume",
    "name",
    "logger",
    "checkpoint",
    "trainer.progress",
    "trainer.profile",
    "dataset.root",
    "device",
    "threads",
)
"""Keys whose change does not change what the run computes; the new value counts."""


def stored(composed: DictConfig, overrides: list[str]) -> tuple[RunFolder, DictConfig, bool]:
    """The folder that ``resume=`` names, the config to go on with, and whether it gives the run another length.

    It is the config that the run was started with. What the command line sets besides is compared
    with it, and refused by name where it would change the run.

    Raises:
        ConfigError: no run there, or an override that changes it.
    """
    folder = RunFolder(Path(str(composed.resume)))
    if (folder.path / "multirun.yaml").exists():
        raise ConfigError("resume", str(composed.resume), "is a sweep, not a run", "give its -m command again to go on")
    if not folder.holds_a_run():
        raise ConfigError(
            "resume", str(composed.resume), "there is no run in this folder", "it must hold a config.yaml"
        )
    try:
        saved = OmegaConf.load(folder.config)
    except (OmegaConfBaseException, OSError, ValueError) as error:
        raise CheckpointError(f"{folder.config} cannot be read: {error}") from error
    if not isinstance(saved, DictConfig):
        raise CheckpointError(f"{folder.config} is not a config")
    asked = {item.lstrip("+~").partition("=")[0].split("@")[0].replace("/", ".") for item in overrides}
    for key in sorted(asked - {*LENGTH, "trainer.on_extend"}):
        if any(key == free or key.startswith(free + ".") for free in FREE):
            if key not in ("resume", "name"):
                OmegaConf.update(saved, key, OmegaConf.select(composed, key), force_add=True)
            continue
        _refuse_changes(key, _resolved(saved, key), _resolved(composed, key))
    return folder, saved, lengthen(folder, saved, composed, asked)


def continued(folder: RunFolder) -> str:
    """What is left to do in a folder that holds a run: ``resume``, ``start`` again, or nothing (``finished``)."""
    result = folder.read_result()
    if result is not None and result["status"] == "finished":
        say(f"{folder} is finished: {result['reason']}; nothing to do")
        return "finished"
    return "resume"


def _refuse_changes(key: str, old: Any, new: Any) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            _refuse_changes(f"{key}.{name}", old.get(name, UNSET), new.get(name, UNSET))
        return
    if old != new:
        raise ConfigError(
            key,
            new,
            f"the run was started with {old}, and a resumed run keeps its config",
            "leave the override out, or start a new run",
        )


def _resolved(config: DictConfig, key: str) -> Any:
    node = OmegaConf.select(config, key, default=UNSET)
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
