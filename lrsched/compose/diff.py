"""Compare a composed config with a stored one, and refuse the changes that are not allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lrsched.compose.nodes import raw
from lrsched.config.check import from_text
from lrsched.config.peers import nearest_key
from lrsched.config.versions import computes_the_same_without
from lrsched.config.walk import is_list, is_mapping
from lrsched.errors import UNSET, ConfigError

FIXED = {
    "optimizer._target_": "the run has the buffers of {old}, and another optimizer has others",
    "init_from": "the run began with {old}, and goes on with weights of its own",
    "init_match": "the run began with {old}, and goes on with weights of its own",
    "average._target_": "the run has averaged its weights by {old} from its start on",
}
"""Keys that a run cannot change, and why."""


@dataclass(frozen=True)
class Difference:
    """A key whose resolved value differs (UNSET: it has none). ``asked`` is the key of the override."""

    asked: str
    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.old} -> {self.new}"


def differences(asked: str, saved: DictConfig, composed: DictConfig) -> list[Difference]:
    """List the differences at and below a key of the command line."""
    found = _different(asked, _resolved(saved, asked), _resolved(composed, asked))
    return [Difference(asked, *item) for item in found]


def recorded(changes: Iterable[Difference], saved: DictConfig, composed: DictConfig) -> dict[str, list[Any]]:
    """Write changes as the config keeps them, ``{key: [old, new]}``, not resolved: enough to undo them.

    Keeps the whole value of the override's key where a key comes or goes, or a class changes.
    """
    changes = list(changes)
    whole = {
        change.asked for change in changes if UNSET in (change.old, change.new) or change.key.endswith("._target_")
    }
    keys = dict.fromkeys(change.asked if change.asked in whole else change.key for change in changes)
    return {key: [_literal(raw(saved, key)), _literal(raw(composed, key))] for key in keys}


def refuse(changes: Sequence[Difference]) -> None:
    """Refuse changes, naming each.

    Raises:
        ConfigError: there is a change.
    """
    if not changes:
        return
    first, *more = changes
    others = "".join(f", {other.key}={as_text(other.new)} with {as_text(other.old)}" for other in more)
    allow = ",".join(dict.fromkeys(change.asked for change in changes))
    raise ConfigError(
        first.key,
        first.new,
        f"the run was started with {as_text(first.old)}{others}, and a resumed run keeps its config",
        f"leave {'them' if more else 'the override'} out, start a new run, "
        f"or change it from here on with checkpoint.allow_change=[{allow}]",
    )


def check_allowed(keys: Sequence[str], composed: DictConfig) -> list[str]:
    """Check the keys of ``checkpoint.allow_change``, and return them.

    Raises:
        ConfigError: there is no such key, or it cannot be changed.
    """
    for key in keys:
        if OmegaConf.select(composed, key, default=UNSET) is UNSET:
            group, dot, _ = key.rpartition(".")
            known = [f"{group}{dot}{name}" for name in (OmegaConf.select(composed, group) if group else composed) or ()]
            raise ConfigError("checkpoint.allow_change", key, "there is no such key", nearest_key(key, known))
    return list(keys)


def refuse_fixed(changes: Iterable[Difference]) -> None:
    """Refuse changes that ``checkpoint.allow_change`` cannot allow.

    Raises:
        ConfigError: there is such a change.
    """
    for change in changes:
        if change.key in FIXED:
            rule = FIXED[change.key].format(old=as_text(change.old))
            raise ConfigError(change.key, change.new, rule, "start a new run")


def _different(key: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    if is_mapping(old) and is_mapping(new):
        names = dict.fromkeys([*old, *new])
        return [
            item for name in names for item in _different(f"{key}.{name}", old.get(name, UNSET), new.get(name, UNSET))
        ]
    old, new = from_text(key, old), from_text(key, new)
    given = [value for value in (old, new) if value is not UNSET]
    same = old == new or (len(given) == 1 and computes_the_same_without(key, given[0]))
    return [] if same else [(key, old, new)]


def _resolved(config: DictConfig, key: str) -> Any:
    node = OmegaConf.select(config, key, default=UNSET)
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _literal(value: Any) -> Any:
    """Escape the interpolations of a value: at another place they would mean something else."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if is_mapping(value):
        return {name: _literal(item) for name, item in value.items()}
    return [_literal(item) for item in value] if is_list(value) else value


def as_text(value: Any) -> str:
    """A value as one says it."""
    return "nothing" if value is UNSET else "null" if value is None else str(value)
