"""List the choices of a config group: its YAML files, without shared ones, whose names begin with ``_``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl

_all_options = ConfigLoaderImpl.get_group_options


def choices_in(folder: Path) -> set[str]:
    """List the choices in a folder and below it, by path without suffix: ``torch/StepLR``."""
    found = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.yaml"))
    return {path.as_posix() for path in found if not any(part.startswith("_") for part in path.parts)}


def hide_shared_files() -> None:
    """Hide shared files from Hydra's TAB completion and from ``glob(*)``. Hydra has no public hook for that."""
    ConfigLoaderImpl.get_group_options = _options


def _options(self: ConfigLoaderImpl, *arguments: Any, **named: Any) -> list[str]:
    return [name for name in _all_options(self, *arguments, **named) if not name.startswith("_")]
