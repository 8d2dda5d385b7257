"""The keys of a config that are ``auto``, and what stands in their place."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from lrsched.compose.nodes import put, raw, resolved
from lrsched.config.schema import AUTO, SPEED
from lrsched.config.walk import is_mapping
from lrsched.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def asked(config: Mapping[str, Any]) -> list[str]:
    """The keys of ``trainer`` whose value is ``auto``.

    >>> asked({"trainer": {"precision": "auto", "compile": False}})
    ['precision']
    """
    trainer = config.get("trainer")
    return [name for name in SPEED if is_mapping(trainer) and trainer.get(name) == AUTO]


def with_values(config: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A plain config with values of ``trainer``.

    >>> with_values({"seed": 0, "trainer": {"precision": "auto", "steps": 5}}, {"precision": "bf16"})
    {'seed': 0, 'trainer': {'precision': 'bf16', 'steps': 5}}
    """
    return {**config, "trainer": {**config["trainer"], **chosen}} if chosen else dict(config)


def spelt(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Values of ``trainer`` by their whole keys.

    >>> spelt({"precision": "bf16"})
    {'trainer.precision': 'bf16'}
    """
    return {f"trainer.{name}": value for name, value in chosen.items()}


def put_values(config: DictConfig, chosen: Mapping[str, Any]) -> None:
    """Write values of ``trainer`` into a config."""
    for key, value in spelt(chosen).items():
        put(config, key, value)


def refuse_name(config: DictConfig) -> None:
    """Refuse a name that refers to what is chosen only when the run is built: the folder is named before.

    Raises:
        ConfigError: names the keys.
    """
    if "${" not in str(raw(config, "name")):
        return
    chosen = {name: value for name, value in SPEED.items() if resolved(config, f"trainer.{name}") == AUTO}
    found: list[str] = []
    for name, value in chosen.items():
        settled = deepcopy(config)
        put_values(settled, {name: value})
        if resolved(settled, "name") != resolved(config, "name"):
            found.append(f"trainer.{name}")
    if found:
        rule = f"refers to {' and '.join(found)}, which is auto until the run is built, and names its folder before"
        raise ConfigError("name", raw(config, "name"), rule, "give a name without it, or the value by hand")


def settled(composed: DictConfig, stored: DictConfig) -> DictConfig:
    """The config of a command whose ``auto`` means what a run was begun with: one that goes on chooses nothing anew."""
    names = [name for name in SPEED if resolved(composed, f"trainer.{name}") == AUTO]
    if not names:
        return composed
    config = deepcopy(composed)
    found = {name: raw(stored, f"trainer.{name}") for name in names}
    put_values(config, {name: SPEED[name] if value is None else value for name, value in found.items()})
    return config
