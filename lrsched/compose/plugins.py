"""List the installed launchers and sweepers, and say how to install others."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

GROUPS = ("hydra/launcher", "hydra/sweeper")

LAUNCHERS = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}
"""Launchers of others that lrsched is tested with, each with the extra of lrsched that installs it."""


def installed(group: str) -> set[str]:
    """List the names that plugins added to a group. Ours are YAML files, so they are not among them."""
    Plugins.instance()  # makes Hydra find its plugins, once
    place = ConfigStore.instance().repo
    for part in group.split("/"):
        place = place.get(part, {})
    return {name.removesuffix(".yaml") for name in place if name.endswith(".yaml")}


def how_to_install(group: str, name: str) -> str:
    """Give the command that installs a choice; "" if we know none."""
    extra = LAUNCHERS.get(name) if group == "hydra/launcher" else None
    return f"pip install 'hydra-lrsched[{extra}]'" if extra else ""
