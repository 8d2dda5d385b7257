"""The config as plain data."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.app.messages import complaint


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain dicts and lists, every interpolation resolved."""
    try:
        config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise complaint(error) from error
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}
