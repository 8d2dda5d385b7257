"""Launchers and sweepers: those that are there to choose from, and how to come by others."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

GROUPS = ("hydra/launcher", "hydra/sweeper")

LAUNCHERS = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}
"""Launchers of Hydra's that lrsched is tested with, and what of it installs them."""


def installed(group: str) -> set[str]:
    """The names that plugins have put into a group; ours are files, and not among them."""
    Plugins.instance()  # where nobody has looked for plugins yet, Hydra does it now
    place = ConfigStore.instance().repo
    for part in group.split("/"):
        place = place.get(part, {})
    return {name.removesuffix(".yaml") for name in place if name.endswith(".yaml")}


def how_to_install(group: str, name: str) -> str:
    """The command for a choice that is not installed; nothing where we know of none."""
    extra = LAUNCHERS.get(name) if group == "hydra/launcher" else None
    return f"pip install 'hydra-lrsched[{extra}]'" if extra else ""
