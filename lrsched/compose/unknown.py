"""Name the key that was meant by one that there is not, and the override to write instead."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrsched.config import schema
from lrsched.config.peers import nearest_key
from lrsched.config.targets import DATASET, MODEL, OPTIMIZER, SCHEDULER, TASK, resolve
from lrsched.config.versions import MOVED
from lrsched.config.walk import keys_named
from lrsched.errors import UNSET, ConfigError


def unknown_key(error: BaseException, cause: OmegaConfBaseException, overrides: Sequence[str]) -> ConfigError:
    """The error of an override whose key the config does not have.

    Args:
        error: Hydra's.
        cause: OmegaConf's, at the node that has no such entry.
        overrides: those that were composed.
    """
    match = re.search(r"Could not override '([^']+)'", str(error))
    key = match[1] if match else str(cause.full_key or cause.key)
    unknown = str(cause.full_key or cause.key)  # of optimizr.lr this is optimizr
    parent = unknown.rpartition(".")[0]
    siblings = schema.names(schema.RunConfig) if cause.parent_node is None else cause.parent_node
    known = [f"{parent}.{word}".lstrip(".") for word in siblings if word not in ("_target_", "hydra")]
    ours = _is_ours(siblings)
    arguments, more = list[str](), True
    if key == unknown and isinstance(siblings, DictConfig):
        arguments, more = _arguments(parent, str(siblings.get("_target_")))
    if not known and not arguments:  # an open, empty mapping
        rule = "has no entries yet, and an override without + changes an entry that is there"
        if parent == "average":
            return ConfigError(key, UNSET, "the weights are not averaged", "choose an average first, as average=ema")
        return ConfigError(key, UNSET, rule, f"write +{key}")
    if key in MOVED:
        return ConfigError(key, UNSET, "has moved", f"it is {MOVED[key]} now")
    value = next((word.partition("=")[2] for word in overrides if word.partition("=")[0] == key), None)
    if not parent and unknown == key and isinstance(siblings, DictConfig):
        places = keys_named(key, _as_written(siblings))
        if places:
            return ConfigError(key, UNSET, "there is no such key", written(places, value))
    if key in arguments:
        rule = "its class takes this argument, and its YAML leaves it out"
        return ConfigError(key, UNSET, rule, written([f"+{key}"], value))
    remedy = nearest_key(unknown, known if ours else [*known, *arguments], anywhere=ours)
    if not ours and more:
        remedy = f"{remedy} (an argument that its YAML leaves out is added: +{key})"
    return ConfigError(key, UNSET, "there is no such key", remedy)


def written(keys: Sequence[str], value: str | None) -> str:
    """The remedy that writes one of these keys instead.

    >>> written(["optimizer.lr"], "0.1"), written(["model.hidden"], "[8]"), written(["a.monitor", "b.monitor"], None)
    ('write optimizer.lr=0.1', "write 'model.hidden=[8]'", 'did you mean a.monitor or b.monitor?')
    """
    if len(keys) > 1:
        return f"did you mean {', '.join(keys[:-1])} or {keys[-1]}?"
    return f"write {keys[0] if value is None else shlex.quote(f'{keys[0]}={value}')}"


def _arguments(group: str, target: str) -> tuple[list[str], bool]:
    """The keys that the class of a node has parameters for, whether its YAML has them or not; and whether it may take
    others, too."""
    role = {role.group: role for role in (OPTIMIZER, SCHEDULER, TASK, MODEL, DATASET)}.get(group)
    if role is not None:
        with suppress(Exception):  # a class that is not there, or cannot be imported, is another error
            taken = inspect.signature(resolve(role, target, group)).parameters.values()
            named = [one.name for one in taken if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
            others = any(one.kind is one.VAR_KEYWORD for one in taken)
            return [f"{group}.{name}" for name in named if name not in role.given], others
    return [], True


def _is_ours(node: object) -> bool:
    """Whether a node is of ours, whose YAML names every key; of a class of others it may leave out arguments."""
    return not isinstance(node, DictConfig) or str(node.get("_target_", "lrsched.")).startswith("lrsched.")


def _as_written(config: DictConfig) -> Mapping[str, Any]:
    found: Any = OmegaConf.to_container(config, resolve=False)
    return {key: value for key, value in found.items() if key != "hydra"}
