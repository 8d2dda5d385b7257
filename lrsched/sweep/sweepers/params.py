"""Read a sweep that is written in YAML: the overrides of ``hydra.sweeper.params``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lrsched.compose.nodes import as_written, raw
from lrsched.compose.overrides import written
from lrsched.compose.stored import reaching_out
from lrsched.config.walk import is_mapping
from lrsched.errors import ConfigError

PARAMS = "hydra.sweeper.params"


def is_condition(key: str) -> bool:
    """Whether a key of a sweep in YAML is a condition, as ``scheduler=wsd``, for the keys below it."""
    return "=" in key


def with_params(config: DictConfig, arguments: Sequence[str], *, conditions: bool = False) -> list[str]:
    """Put the overrides in YAML before those of the command line, which replace the ones of the same key.

    Args:
        config: of the sweep.
        arguments: the command line.
        conditions: whether the sweeper reads the conditional ones, which are left out here.

    Raises:
        ConfigError: they are no mapping, or set a key of the whole sweep, or hold conditions without a reader.
    """
    params = raw(config, PARAMS) or {}
    if not is_mapping(params):
        raise ConfigError(PARAMS, params, "must be a mapping of keys to the values to try", "write key: a,b")
    words: list[str] = []
    for key, value in params.items():
        if is_condition(key):
            if not conditions:
                rule = "only a study searches keys under a condition"
                raise ConfigError(f"{PARAMS}.{key}", value, rule, "give hydra/sweeper=optuna")
            continue
        refuse_of_sweep(key, value)
        if key not in typed_in(arguments):
            words.append(word(config, (key,), value))
    return [*words, *arguments]


def typed_in(arguments: Sequence[str]) -> set[str]:
    """The keys on a command line, as typed."""
    return {word.partition("=")[0].strip() for word in arguments}


def word(config: DictConfig, steps: Sequence[str], value: Any) -> str:
    """Write the values of a key as they are typed. What comes from the environment stays a reference to it.

    Args:
        config: of the sweep.
        steps: the conditions above the key in ``hydra.sweeper.params``, and the key.
        value: not resolved.
    """
    if not reaching_out(OmegaConf.create({"value": value})):
        node = config.hydra.sweeper.params
        for step in steps:
            node = node[step]
        value = as_written(OmegaConf.create({"value": node}))["value"]
    return f"{steps[-1]}={value if isinstance(value, str) else written(value)}"


def refuse_of_sweep(key: str, value: Any) -> None:
    """Refuse a key of the whole sweep."""
    if key == "name" or key.startswith(("sweep.", "hydra.", "hydra/")):
        remedy = "set it in the config itself, or on the command line"
        raise ConfigError(f"{PARAMS}.{key}", value, "belongs to the whole sweep, not to one of its jobs", remedy)
