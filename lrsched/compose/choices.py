"""List the choices of a config group: its YAML files, without shared ones, whose names begin with ``_``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl

from lrsched.errors import ConfigError

_all_options = ConfigLoaderImpl.get_group_options


def choices_in(folder: Path) -> set[str]:
    """List the choices in a folder and below it, by path without suffix: ``torch/StepLR``."""
    found = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.yaml"))
    return {path.as_posix() for path in found if not any(part.startswith("_") for part in path.parts)}


def own_folders() -> list[Path]:
    """The folders of lrsched's own YAML files."""
    spec = find_spec("lrsched.conf")
    return [Path(folder) for folder in (spec.submodule_search_locations if spec else None) or ()]


def refuse_hidden(folder: str, key: str) -> None:
    """Refuse a file of the user's that would never be read: of two of one name, Hydra reads lrsched's.

    Args:
        folder: of more configs.
        key: what named it.

    Raises:
        ConfigError: names the file.
    """
    more = Path(folder)
    for ours in own_folders():
        for name in sorted(choices_in(ours) & choices_in(more)):
            file = more / f"{name}.yaml"
            if file.read_bytes() != (ours / f"{name}.yaml").read_bytes():
                rule = f"lrsched has {name} itself, and would read its own instead of {file}"
                raise ConfigError(key, folder, rule, f"give it another name, as {file.with_name(f'my_{file.name}')}")


def hide_shared_files() -> None:
    """Hide shared files and folders of schemas from TAB completion and ``glob(*)``; Hydra has no public hook."""
    ConfigLoaderImpl.get_group_options = _options


def _options(self: ConfigLoaderImpl, *arguments: Any, **named: Any) -> list[str]:
    return [name for name in _all_options(self, *arguments, **named) if name[0] not in "_."]
