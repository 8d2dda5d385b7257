"""Turn the composed config, a plain dict, into typed settings. Checks every value before anything is built."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, overload

from lrsched.config import schema
from lrsched.config.check import S, check_numbers, read, take
from lrsched.config.component import Component
from lrsched.config.given import NOTHING, PARAMETERS, Given, InPlace, require_objects
from lrsched.config.metric import metric_nodes
from lrsched.config.targets import AVERAGING, DATASET, LOGGER, MODEL, OPTIMIZER, SCHEDULER, TASK, Role, arguments_in
from lrsched.config.types import check_type
from lrsched.config.walk import is_mapping
from lrsched.errors import UNSET, ConfigError, nearest
from lrsched.records import AVERAGE, check_name

TAKEN = re.compile(r"default|no_decay|layer\d+")
"""Names that the program gives to parameter groups of its own."""

NORMALISED = "normalised"
"""The group of the weights whose decay is corrected; there is one where ``optimizer.corrected_decay`` asks for it."""


PARTS = ("validation", "test")
"""Keys of ``dataset`` that are a fraction to hold out, or a node: a data set of their own."""


class Settings(schema.RunConfig):
    """The config of a run with each group's node parsed: the same fields, of narrower types."""

    threads: int | str | None
    optimizer: Component[schema.OptimizerConfig]
    scheduler: Component[None]
    task: Component[None]
    model: Component[None]
    dataset: Component[schema.DatasetConfig]
    logger: dict[str, Component[None]]
    average: Component[None] | None


class Checked(NamedTuple):
    """A config that was checked, and its settings."""

    config: Mapping[str, Any]
    run: Settings


def settings(
    config: Mapping[str, Any], objects: Mapping[str, Given] = NOTHING, like: Checked | None = None
) -> Settings:
    """Type and check the config of a run.

    Args:
        config: as composed or stored, resolved.
        objects: given in Python, by the key of the node that each stands in for.
        like: a config that was checked with the same objects: of the nodes that are its own, and not equal ones alone,
            the settings are taken over. The jobs of a sweep share nearly all.

    Raises:
        ConfigError: an unknown key, a value of another type or out of its range, an object that is not given.
    """
    known = {} if like is None else {key: getattr(like.run, key) for key in _shared(config, like.config)}
    own = {key: value for key, value in config.items() if key not in known}
    run = read(schema.RunConfig, own, "")
    check_name("name", run.name)
    for group in schema.GROUPS:
        node = getattr(run, group)
        if group not in known and not (is_mapping(node) and isinstance(node.get("_target_"), str)):
            remedy = f"choose one of conf/{group}/, as in {group}=NAME"
            raise ConfigError(group, node, "must be a mapping with a _target_", remedy)
    loggers: Any = run.logger or {}
    if not is_mapping(loggers) or not all(map(is_mapping, loggers.values())):
        remedy = "choose some, as in logger=[tensorboard,csv]"
        raise ConfigError("logger", loggers, "must be a mapping of loggers", remedy)
    _check_device(run.device)
    if run.init_match is not None and run.init_from is None:
        raise ConfigError("init_match", run.init_match, "chooses weights of init_from", "give init_from=RUN_FOLDER")
    keys = schema.names(schema.RunConfig)
    for i, key in enumerate(run.checkpoint.allow_change):
        if key.partition(".")[0] not in keys:
            raise ConfigError(f"checkpoint.allow_change[{i}]", key, "is no key of the config", nearest(key, keys))
    check_numbers(own)
    require_objects({key: config[key] for key in PARAMETERS}, objects)
    parsed = {key: _parsed(key, getattr(run, key), objects) for key in _PARSED if key not in known}
    return Settings(**{**vars(run), **parsed, **known})


def _shared(config: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys of the root under which two configs hold the same node."""
    return [key for key, node in config.items() if is_mapping(node) and other.get(key) is node]


_PARSED = ("optimizer", "scheduler", "task", "model", "dataset", "trainer", "logger", "average")
"""Keys of the root whose nodes name classes."""

_ROLES = {role.group: role for role in (SCHEDULER, TASK, MODEL, DATASET)}


def _parsed(key: str, node: Any, objects: Mapping[str, Given]) -> Any:
    """Parse a node of the root."""
    if key == "optimizer":
        return _optimizer(node)
    if key == "trainer":
        return replace(node, metrics=metric_nodes(node.metrics))
    if key == "logger":
        loggers: Mapping[str, Any] = node or {}
        return {name: component(LOGGER, each, f"logger.{name}") for name, each in loggers.items()}
    if key == "average":
        return _average(node)
    own: Any = schema.DatasetConfig if key == "dataset" else None
    return _placed(component(_ROLES[key], node, key, own), objects)


@overload
def component(role: Role, node: Mapping[str, Any], key: str) -> Component[None]: ...
@overload
def component(role: Role, node: Mapping[str, Any], key: str, own: type[S]) -> Component[S]: ...
def component(role: Role, node: Mapping[str, Any], key: str, own: type[Any] | None = None) -> Component[Any]:
    """Parse a node.

    Args:
        role: what the node may name.
        node: ``_target_``, its arguments, and the keys of ``own``.
        key: of the node.
        own: schema of the reserved keys, if the group has any.

    Raises:
        ConfigError: a reserved key with a value of another type or out of its range.
    """
    parts = {name: node[name] for name in PARTS if is_mapping(node.get(name))} if role == DATASET else {}
    reserved, rest = (None, node) if own is None else take(own, {k: v for k, v in node.items() if k not in parts}, key)
    rest = {**rest, **parts}
    return Component(role, key, str(node.get("_target_")), arguments_in(rest), reserved)


def _placed(node: Component[S], objects: Mapping[str, Given]) -> Component[S]:
    """The node, or the object that stands in for it."""
    given = objects.get(node.key)
    if given is None:
        return node
    return InPlace(node.role, node.key, given.name, node.arguments, node.own, given)


def direction(better: Mapping[str, str], monitor: str) -> str:
    """Which way a monitored metric is better.

    Args:
        better: of the task: ``min`` or ``max`` for each metric.
        monitor: the metric of a part, as ``val/loss``, or of averaged weights, as ``val/average/loss``.
    """
    return better[monitor.partition("/")[2].removeprefix(AVERAGE)]


def base_rate(optimizer: Component[schema.OptimizerConfig]) -> float:
    """Find the base learning rate: ``optimizer.lr``, or else the default of the class, which this imports."""
    if "lr" in optimizer.arguments:
        return optimizer.arguments["lr"]
    return _rate(inspect.signature(optimizer.cls).parameters["lr"].default)


def _rate(value: Any) -> float:
    """Read ``optimizer.lr`` as a float: lr=1 is a rate too, and Adafactor asserts a float."""
    rate = check_type("optimizer.lr", value, float)
    if not 0 <= rate < float("inf"):
        raise ConfigError("optimizer.lr", value, "must be a finite number, at least 0")
    return float(rate)


def _optimizer(node: Mapping[str, Any]) -> Component[schema.OptimizerConfig]:
    found = component(OPTIMIZER, node, "optimizer", schema.OptimizerConfig)
    rate = {"lr": _rate(found.arguments["lr"])} if "lr" in found.arguments else {}
    own = replace(found.own, groups=named_groups(found.own, rate.get("lr")))
    return replace(found, arguments={**found.arguments, **rate}, own=own)


def named_groups(own: schema.OptimizerConfig, rate: float | None) -> dict[str, schema.ParameterGroup]:
    """Read ``optimizer.groups``: each entry typed and within its ranges.

    Args:
        own: the reserved keys of ``optimizer``.
        rate: ``optimizer.lr``, or None where none is given.

    Raises:
        ConfigError: names the entry and its key.
    """
    if rate is None and own.layer_decay is not None:
        raise ConfigError("optimizer.lr", None, "optimizer.layer_decay scales it", "give optimizer.lr=VALUE")
    named: dict[str, schema.ParameterGroup] = {}
    for name, node in own.groups.items():
        key = f"optimizer.groups.{name}"
        if name == NORMALISED and own.corrected_decay is not None:
            rule = f"optimizer.corrected_decay={own.corrected_decay} makes a group of this name"
            raise ConfigError(key, UNSET, rule, "give it another name")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", str(name)) or TAKEN.fullmatch(name):
            rule = "a name is a letter and then letters, digits, - or _, and not default, no_decay or layer0, layer1, …"
            raise ConfigError(key, UNSET, rule, "give it another name")
        if not is_mapping(node):
            raise ConfigError(key, node, "must be a mapping", "as in {params: head.*, lr_scale: 10}")
        if "params" not in node:
            raise ConfigError(f"{key}.params", UNSET, "says which parameters are meant", "as in params: head.*")
        named[name] = group = read(schema.ParameterGroup, node, key)
        if group.lr is not None and group.lr_scale is not None:
            rule = "the group has a rate of its own"
            raise ConfigError(f"{key}.lr_scale", group.lr_scale, rule, "give one of the two")
        if group.freeze:
            for word in ("lr", "lr_scale", "weight_decay"):
                if getattr(group, word) is not None:
                    raise ConfigError(f"{key}.{word}", getattr(group, word), "the group is frozen", "leave one out")
        if group.lr_scale is not None and rate is None:
            raise ConfigError("optimizer.lr", None, f"{key}.lr_scale scales it", "give optimizer.lr=VALUE")
        schema.expression(f"{key}.params", group.params)
    return named


def _average(node: Any) -> Component[None] | None:
    """Parse the node of an average; None: there is none."""
    if not node:
        return None
    if not is_mapping(node) or not isinstance(node.get("_target_"), str):
        raise ConfigError("average", node, "must be a mapping with a _target_", "choose one, as in average=ema")
    return component(AVERAGING, node, "average")


def _check_device(device: str) -> None:
    kind = device.split(":")[0]
    known = ("auto", "cpu", "cuda", "mps")
    if kind not in known:
        remedy = "did you mean 'cuda'?" if kind == "gpu" else nearest(kind, known)
        raise ConfigError("device", device, "is no device", remedy)
    if ":" in device and not re.fullmatch(r"cuda:\d{1,4}", device):
        remedy = "give cpu, mps, cuda, or cuda:0, cuda:1, …"
        raise ConfigError("device", device, "only GPUs of CUDA are numbered", remedy)
