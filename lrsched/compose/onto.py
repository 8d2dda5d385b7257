"""Compose a command line onto the stored config of a run, as Hydra composes one onto its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lrsched.compose.errors import GROUPS
from lrsched.compose.nodes import put, raw, within
from lrsched.compose.overrides import parse
from lrsched.compose.stored import read_config
from lrsched.config import schema
from lrsched.errors import UNSET, ConfigError, UserError
from lrsched.records import RunFolder


def onto(stored: DictConfig, composed: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Compose overrides onto a stored config; it stays as it is.

    Args:
        stored: config of the run.
        composed: what Hydra made of the overrides and its own files: the choices of groups come from it.
        overrides: of the command.

    Raises:
        HydraException: a key that the run does not have, or a value of another type.
    """
    config = _typed(stored)
    parsed = _parsed(overrides)
    chosen = {_key(override) for override in parsed if _is_choice(override)}
    for key in chosen:
        _choose(config, key, raw(composed, key))
    _apply((override for override in parsed if not within(_key(override), chosen)), config)
    return config


def _choose(config: DictConfig, key: str, value: Any) -> None:
    """Put a choice of a group in the place of another; where the group has keys of ours alone, their values."""
    typed = dataclasses.is_dataclass(OmegaConf.get_type(config, key))
    if typed:
        OmegaConf.update(config, key, value, merge=True)
    else:
        put(config, key, value)


def for_stored(words: Sequence[str]) -> list[str]:
    """Let the words of a command that resumes a run change the keys that its stored config has.

    Hydra composes them onto the files first, where another scheduler may stand that has no such key: there, a key
    of the stored config is added.

    Raises:
        HydraException: a key that the run does not have.
        ConfigError: a key of the run is to be taken away.
    """
    config = _config_of([word for word in words if word.startswith("resume=")])
    if config is None:
        return list(words)
    try:
        parsed = {word: parse([word])[0] for word in words if _is_override(word)}
    except HydraException:
        return list(words)  # Hydra will say which cannot be read
    chosen = {_key(override) for override in parsed.values() if _is_choice(override)}
    found: list[str] = []
    for word in words:
        override = parsed.get(word)
        if override is not None and override.is_delete() and not within(_key(override), chosen):
            _refuse_loss(override, config)
        if override is None or not _changes_open_key(override) or within(_key(override), chosen):
            found.append(word)
            continue
        if not override.is_sweep_override():
            _apply([override], config)
        found.append(f"++{word}")
    return found


def _is_override(word: str) -> bool:
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def _refuse_loss(override: Override, config: DictConfig) -> None:
    """Refuse to take away an argument of a class."""
    key = override.key_or_group
    holder, _, name = key.rpartition(".")
    if holder.partition(".")[0] in schema.OPEN and name in (raw(config, holder) or ()):
        rule = f"the run has {key}={raw(config, key)}, and a run that goes on keeps its keys"
        raise ConfigError(f"~{key}", UNSET, rule, f"give it another value: {key}=VALUE")


def _config_of(words: Sequence[str]) -> DictConfig | None:
    """The stored config of the run that is resumed; None without one, or if it cannot be read."""
    if len(words) != 1:
        return None
    folder = RunFolder(Path(words[0].partition("=")[2].strip("'\"")))
    if not folder.holds_a_run():
        return None
    try:
        return _typed(read_config(folder))
    except UserError:
        return None  # resuming it will say why


def _typed(stored: DictConfig) -> DictConfig:
    config: Any = OmegaConf.merge(OmegaConf.structured(schema.RunConfig), stored)
    OmegaConf.set_struct(config, True)
    return config


def _parsed(overrides: Sequence[str]) -> list[Override]:
    return [override for override in parse(overrides) if not override.is_hydra_override()]


def _key(override: Override) -> str:
    return override.key_or_group.replace("/", ".")


def _is_choice(override: Override) -> bool:
    """Whether an override chooses a file instead of setting a value."""
    is_group = override.key_or_group in GROUPS or "/" in override.key_or_group or override.package is not None
    return is_group and not isinstance(override.value(), dict)


def _changes_open_key(override: Override) -> bool:
    """Whether an override changes a key of a class: which keys there are depends on the class."""
    group, dot, _ = override.key_or_group.partition(".")
    return override.type == OverrideType.CHANGE and bool(dot) and group in schema.OPEN


def _apply(overrides: Iterable[Override], config: DictConfig) -> None:
    """Apply overrides as Hydra does, but a + may stand before a key that is there, a ~ before one that is not, and a
    mapping for a key that is there may bring keys of its own."""
    loader: Any = ConfigLoaderImpl  # the function is not public
    for override in overrides:
        there = OmegaConf.select(config, override.key_or_group) is not None
        if override.is_add() or (there and not override.is_delete() and isinstance(override.value(), dict)):
            override.type = OverrideType.FORCE_ADD
        if there or not override.is_delete():
            loader._apply_overrides_to_config([override], config)
