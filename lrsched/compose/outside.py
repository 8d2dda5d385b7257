"""Compose the config of a run outside of Hydra's main function; whoever else uses Hydra here notices nothing."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase
from omegaconf import DictConfig
from omegaconf.basecontainer import BaseContainer

from lrsched.compose.choices import refuse_hidden
from lrsched.compose.hydra_setup import RUN_ID, SCHEMA, register
from lrsched.compose.secrets import ENV
from lrsched.config.project import own_configs
from lrsched.errors import ConfigError


@contextmanager
def hydra_of_ours() -> Generator[ConfigLoader]:
    """Set Hydra up to compose configs of lrsched; yields its loader, and puts back what was set up before."""
    whole, version = GlobalHydra.instance(), VersionBase.instance()
    hydra, base, path, options = whole.hydra, version.version_base, [*sys.path], ConfigLoaderImpl.get_group_options
    private: Any = BaseContainer  # OmegaConf has no public way to look a resolver up
    resolvers = private._resolvers
    tables: list[tuple[dict[str, Any], str]] = [
        (ConfigStore.instance().repo, SCHEMA),
        (resolvers, RUN_ID),
        (resolvers, ENV),
    ]
    before = [table.get(name) for table, name in tables]
    whole.clear()
    try:
        register()
        with initialize_config_module("lrsched.conf", version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.set_instance(whole)
        whole.hydra, version.version_base, sys.path[:] = hydra, base, path
        ConfigLoaderImpl.get_group_options = options
        for (table, name), entry in zip(tables, before, strict=True):
            table.pop(name, None)
            if entry is not None:
                table[name] = entry


def composed(words: Sequence[str], folder: str | None, *, key: str) -> DictConfig:
    """Compose the config that words of a command line mean, with Hydra's part in it.

    Args:
        words: overrides.
        folder: with more configs; None: the project's own, where there is one.
        key: what to call the folder in a message.

    Raises:
        HydraException, OmegaConfBaseException: they cannot be composed.
        ConfigError: there is no such folder.
    """
    return compose("config", overrides=in_folder(words, folder, key=key), return_hydra_config=True)


def in_folder(words: Sequence[str], folder: str | None, *, key: str = "--config-dir") -> list[str]:
    """The words, and the one that makes Hydra look into a folder with more configs, as for :func:`composed`."""
    folder = own_configs() if folder is None else folder
    extra = [] if folder is None else [f"hydra.searchpath=['file://{_existing(folder, key)}']"]
    return [*extra, *words]


def _existing(folder: str, key: str) -> Path:
    """Make the path of a folder absolute; refuse one that does not exist, or with files that would not be read."""
    path = Path(folder).absolute()
    if not path.is_dir():
        raise ConfigError(key, folder, "there is no such folder")
    refuse_hidden(folder, key)
    return path
