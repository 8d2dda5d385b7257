"""Conditional spaces: keys that are searched only where another key has one of some values.

Written in ``hydra.sweeper.params`` as a key with its values, and below it what is searched there::

    scheduler: cosine,wsd
    scheduler=wsd:
      scheduler.decay: interval(0.05,0.5)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from lrsched.compose.nodes import raw
from lrsched.compose.overrides import parse, values_of, written
from lrsched.config.run_id import key_of
from lrsched.config.walk import is_mapping
from lrsched.errors import ConfigError
from lrsched.sweep.sweepers.distributions import SEED
from lrsched.sweep.sweepers.params import PARAMS, is_condition, refuse_of_sweep, word


@dataclass(frozen=True)
class Condition:
    """A key has one of some values.

    Args:
        key: whose value decides.
        values: as the choices of a space are written.
        text: as the user wrote it.
    """

    key: str
    values: tuple[str, ...]
    text: str

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds where the keys have these values; not if the key has none."""
        return self.key in values and str(values[self.key]) in self.values


@dataclass(frozen=True)
class Branch:
    """An override that is there where all of some conditions hold."""

    conditions: tuple[Condition, ...]
    override: Override


def branches(config: DictConfig, typed: Collection[str], loader: ConfigLoader | None = None) -> list[Branch]:
    """Read the conditional part of ``hydra.sweeper.params``.

    Args:
        config: of the sweep.
        typed: keys on the command line; what is typed replaces what is written, at any depth.
        loader: knows what ``glob`` matches.

    Raises:
        ConfigError: it cannot be read.
    """
    params = raw(config, PARAMS) or {}
    always = {key_of(key) for key in params if not is_condition(key)}
    replaced = {key_of(key) for key in typed}
    found: list[Branch] = []
    for branch in _below(params, PARAMS, (), config, loader):
        key = key_of(branch.override.get_key_element())
        if key in always and key not in replaced:
            rule = f"is searched everywhere, and again where {branch.conditions[-1].text}"
            raise ConfigError(f"{PARAMS}.{key}", params.get(key), rule, "leave it out of one")
        if key not in replaced:
            found.append(branch)
    return found


def _below(
    node: Mapping[str, Any],
    place: str,
    above: tuple[Condition, ...],
    config: DictConfig,
    loader: ConfigLoader | None,
) -> Iterator[Branch]:
    """The branches in a mapping, at any depth; those of its plain keys only below a condition."""
    for key, value in node.items():
        if is_condition(key):
            if not is_mapping(value) or not value:
                rule = "a condition holds a mapping of the keys that are searched where it holds"
                raise ConfigError(f"{place}.{key}", value, rule, "write them below it, each as key: a,b")
            yield from _below(value, f"{place}.{key}", (*above, _condition(key, place)), config, loader)
        elif above:
            if key_of(key) == SEED:
                rule = "all trials have the same seeds: else their values could not be compared"
                raise ConfigError(f"{place}.{key}", value, rule, f"write it into {PARAMS} itself")
            refuse_of_sweep(key, value)
            steps = (*(condition.text for condition in above), key)
            yield Branch(above, parse([word(config, steps, value)], loader)[0])


def _condition(text: str, place: str) -> Condition:
    """Read ``key=a,b``."""
    (override,) = parse([text])
    if override.is_sweep_override() and not override.is_discrete_sweep():
        raise ConfigError(f"{place}.{text}", {}, "a condition lists choices", "as in scheduler=wsd,onecycle")
    return Condition(override.get_key_element().lstrip("+"), tuple(all_values(override)), text)


def all_values(override: Override) -> list[str]:
    """The values of an override, one or several, as the choices of a space are written."""
    if override.is_sweep_override():
        return values_of(override) if override.is_discrete_sweep() else []
    value: Any = override.value()
    return [written(value)]
