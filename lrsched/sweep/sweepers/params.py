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


def with_params(config: DictConfig, arguments: Sequence[str]) -> list[str]:
    """Put the overrides in YAML before those of the command line, which replace the ones of the same key.

    Args:
        config: of the sweep.
        arguments: the command line.

    Raises:
        ConfigError: they are no mapping, or set a key of the whole sweep.
    """
    params = raw(config, PARAMS) or {}
    if not is_mapping(params):
        raise ConfigError(PARAMS, params, "must be a mapping of keys to the values to try", "write key: a,b")
    typed = {word.partition("=")[0].strip() for word in arguments}
    words: list[str] = []
    for key, value in params.items():
        if key == "name" or key.startswith(("sweep.", "hydra.", "hydra/")):
            remedy = "set it in the config itself, or on the command line"
            raise ConfigError(f"{PARAMS}.{key}", value, "belongs to the whole sweep, not to one of its jobs", remedy)
        if key not in typed:
            words.append(f"{key}={_text(config, key, value)}")
    return [*words, *arguments]


def _text(config: DictConfig, key: str, value: Any) -> str:
    """Write the values of a key as they are typed. What comes from the environment stays a reference to it."""
    if not reaching_out(OmegaConf.create({"value": value})):
        value = as_written(OmegaConf.create({"value": config.hydra.sweeper.params[key]}))["value"]
    return value if isinstance(value, str) else written(value)
