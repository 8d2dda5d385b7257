"""Read and write the nodes of a config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.errors import complaint
from lrsched.config.check import from_texts
from lrsched.config.given import Given, nodes_of


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Convert a config to plain dicts and lists, every interpolation resolved.

    Raises:
        ConfigError: a value is missing, or an interpolation cannot be resolved.
    """
    try:
        config: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise complaint(error) from error
    return from_texts({str(key): value for key, value in config.items()})


def as_written(config: Any) -> Any:
    """Convert a config, or a list of one, to plain dicts and lists, no interpolation resolved."""
    return OmegaConf.to_container(config, resolve=False)


def raw(config: DictConfig, key: str) -> Any:
    """Find the value at a key, not resolved; None if there is none."""
    node: Any = config
    for name in key.replace("[", ".").replace("]", "").split("."):
        node = _child(node, name)
        if node is None:
            return None
    return as_written(node) if OmegaConf.is_config(node) else node._value()


def resolved(config: DictConfig, key: str) -> Any:
    """Find the value at a key; what it refers to where that can be resolved, and else as it is written."""
    try:
        value = OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return raw(config, key)
    return raw(config, key) if OmegaConf.is_config(value) else value


def _child(node: Any, name: str) -> Any:
    """The node in another one; None if there is none."""
    held = cast(dict[str, Any], vars(node))
    inside = held.get("_content")  # a text where the node refers to another one
    if isinstance(inside, list):
        items = cast(list[Any], inside)
        return items[int(name)] if name.isdigit() and int(name) < len(items) else None
    return cast(dict[str, Any], inside).get(name) if isinstance(inside, dict) else None


def put(config: DictConfig, key: str, value: Any) -> None:
    """Set a key, replacing its value."""
    OmegaConf.update(config, key, value, merge=False, force_add=True)


def place(config: DictConfig, objects: Mapping[str, Given]) -> None:
    """Let nodes of a config say what was given in their place.

    Args:
        config: is changed.
        objects: given in Python, by the key of the node that each stands in for.
    """
    for key, node in nodes_of(objects, as_written(config.dataset)).items():
        put(config, key, node)


def copied(config: DictConfig) -> DictConfig:
    """Copy a config without its types, not resolved."""
    copy: Any = OmegaConf.create(as_written(config))
    return copy


def to_yaml(config: DictConfig) -> str:
    """Write a config as YAML, not resolved."""
    return OmegaConf.to_yaml(config)


def within(key: str, roots: Iterable[str]) -> bool:
    """Whether a key is one of ``roots``, or lies below one.

    >>> within("optimizer.lr", ["optimizer"]), within("optimizers", ["optimizer"])
    (True, False)
    """
    return any(key == root or key.startswith((f"{root}.", f"{root}[")) for root in roots)
