"""Read and write the nodes of a config."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.errors import complaint


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain dicts and lists, every interpolation resolved."""
    try:
        config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise complaint(error) from error
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def raw(config: DictConfig, key: str) -> Any:
    """The value at a key, not resolved; None if there is none."""
    found: Any = OmegaConf.to_container(config, resolve=False)
    for name in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict):
            found = found.get(name)
        else:
            return None
    return found


def put(config: DictConfig, key: str, value: Any) -> None:
    """Set a key, replacing its value."""
    OmegaConf.update(config, key, value, merge=False, force_add=True)


def copied(config: DictConfig) -> DictConfig:
    """An untyped copy, not resolved."""
    copy = OmegaConf.create(OmegaConf.to_container(config, resolve=False))
    assert isinstance(copy, DictConfig)
    return copy


def to_yaml(config: DictConfig) -> str:
    """The config as YAML, not resolved."""
    return OmegaConf.to_yaml(config)


def within(key: str, roots: Iterable[str]) -> bool:
    """Whether a key is one of these, or lies below one.

    >>> within("optimizer.lr", ["optimizer"]), within("optimizers", ["optimizer"])
    (True, False)
    """
    return any(key == root or key.startswith((f"{root}.", f"{root}[")) for root in roots)
