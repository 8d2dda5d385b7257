"""The words of a command line, given in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lrsched.compose.nodes import place
from lrsched.compose.onto import for_stored
from lrsched.compose.outside import composed, hydra_of_ours
from lrsched.compose.overrides import parse
from lrsched.config import schema
from lrsched.config.given import PARAMETERS, Given
from lrsched.errors import UNSET, ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def checked(overrides: Any, sweeps: str = "asks for a sweep, and this is one run") -> list[str]:
    """The words as a list.

    Args:
        overrides: as the caller gave them.
        sweeps: what is wrong with a word that asks for a sweep.

    Raises:
        ConfigError: they are no list of words, or a word is a flag of the command line.
    """
    if isinstance(overrides, str):
        raise ConfigError("overrides", overrides, "is one text, and a list of words is wanted", f"give [{overrides!r}]")
    if isinstance(overrides, Mapping) or not isinstance(overrides, Sequence):
        rule = "must be a list of words, each as on the command line"
        raise ConfigError("overrides", UNSET, rule, 'as in ["scheduler=wsd", "optimizer.lr=0.03"]')
    for number, word in enumerate(overrides):
        if not isinstance(word, str):
            raise ConfigError(f"overrides[{number}]", word, "must be a text", 'as in "optimizer.lr=0.03"')
        if word in ("-m", "--multirun"):
            remedy = "call lrsched.run for each, or give the words to the command lrsched train -m"
            raise ConfigError(f"overrides[{number}]", word, sweeps, remedy)
        if word.startswith("-"):
            remedy = "folders with more configs are given as config_dir=" if "config-dir" in word else "leave it out"
            raise ConfigError(f"overrides[{number}]", word, "is a flag of the command line, and no override", remedy)
    return list(overrides)


def config_of(words: Sequence[str], objects: Mapping[str, Given], folder: str | None) -> DictConfig:
    """The config of a run, with a node for each object that says what was given.

    Args:
        words: overrides.
        objects: given in Python, by the key of the node that each stands in for.
        folder: with more configs, or None.

    Raises:
        HydraException, OmegaConfBaseException: it cannot be composed.
        ConfigError: a word asks for several runs, or for what an object stands in for.
    """
    with hydra_of_ours() as loader:
        for override in parse(words, loader):
            key = override.key_or_group.replace("/", ".")
            if override.is_sweep_override():
                remedy = "give one, and call lrsched.run for each; lrsched train -m runs them side by side"
                raise ConfigError(key, UNSET, "several values are a sweep, and this is one run", remedy)
            refuse_doubled(key, objects)
        config = composed(for_stored(words), folder, key="config_dir")
    del as_open(config)["hydra"]
    place(config, objects)
    return config


def as_open(config: DictConfig) -> DictConfig:
    """The config itself, which gains and loses keys from now on."""
    config._set_flag(["struct", "readonly"], [False, False])
    return config


def refuse_doubled(key: str, objects: Mapping[str, Given]) -> None:
    """Refuse an override of what an object stands in for; the trainer's own keys of a data set stay.

    Raises:
        ConfigError: names it.
    """
    group, _, name = key.partition(".")
    if group not in objects or (group == "dataset" and name.partition(".")[0] in schema.names(schema.DatasetConfig)):
        return
    parameter = PARAMETERS[group]
    rule = f"{parameter}= gives the {parameter} already, and no override changes it"
    raise ConfigError(key, UNSET, rule, "leave one of the two out")
