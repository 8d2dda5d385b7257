"""Launchers and sweepers: which are installed, and how to install others."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

GROUPS = ("hydra/launcher", "hydra/sweeper")

LAUNCHERS = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}
"""Hydra's launchers that lrsched is tested with, and the extra of lrsched that installs each."""


def installed(group: str) -> set[str]:
    """The names that plugins added to a group; ours are files, and not among them."""
    Plugins.instance()  # Hydra finds its plugins now, unless it has
    place = ConfigStore.instance().repo
    for part in group.split("/"):
        place = place.get(part, {})
    return {name.removesuffix(".yaml") for name in place if name.endswith(".yaml")}


def how_to_install(group: str, name: str) -> str:
    """The command that installs a choice; "" if we know none."""
    extra = LAUNCHERS.get(name) if group == "hydra/launcher" else None
    return f"pip install 'hydra-lrsched[{extra}]'" if extra else ""
