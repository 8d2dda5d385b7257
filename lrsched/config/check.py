"""From the composed config, a plain dict, to typed settings: every value is looked at before anything is built."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from lrsched.config import schema
from lrsched.config.types import check_type
from lrsched.config.walk import leaves
from lrsched.errors import ConfigError, nearest
from lrsched.records import check_name

S = TypeVar("S")
FLOAT32_MAX = (2 - 2**-23) * 2.0**127


def settings(config: Mapping[str, Any]) -> schema.RunConfig:
    """The config of a run, typed and within its ranges.

    Raises:
        ConfigError: an unknown key, a value of another type or out of its range.
    """
    run = read(schema.RunConfig, config, "")
    check_name("name", run.name)
    for group in schema.GROUPS:
        node = getattr(run, group)
        if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
            raise ConfigError(
                group, node, "must be a mapping with a _target_", f"choose one of conf/{group}/, as in {group}=NAME"
            )
    loggers = run.logger or {}
    if not isinstance(loggers, Mapping) or not all(isinstance(node, Mapping) for node in loggers.values()):
        raise ConfigError(
            "logger", loggers, "must be a mapping of loggers", "choose some, as in logger=[tensorboard,csv]"
        )
    _check_device(run.device)
    for i, key in enumerate(run.checkpoint.allow_change):
        if key.partition(".")[0] not in schema.names(schema.RunConfig):
            raise ConfigError(
                f"checkpoint.allow_change[{i}]",
                key,
                "is no key of the config",
                nearest(key, schema.names(schema.RunConfig)),
            )
    check_numbers(config)
    return run


def check_numbers(value: Any, key: str = "") -> None:
    """Refuse, at any depth, numbers that no tensor could hold.

    Raises:
        ConfigError: NaN, an infinity, a float beyond float32 or a whole number beyond 64 bits.
    """
    for name, number in leaves(value, key):
        if isinstance(number, float) and not abs(number) <= FLOAT32_MAX:
            rule = f"must be a finite number, at most {FLOAT32_MAX:.3g} in size: float32 holds no more"
            raise ConfigError(name, number, rule)
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise ConfigError(name, number, "is a whole number beyond 64 bits")


def read(cls: type[S], node: Mapping[str, Any], prefix: str) -> S:
    """An instance of a schema dataclass from a mapping; every key known, every value checked."""
    hints = get_type_hints(cls)
    items = {item.name: item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {}
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else name
        if name not in items:
            raise ConfigError(key, value, "there is no such key", nearest(name, items))
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            values[name] = _entry(hint, value, key)  # type: ignore[arg-type]
            continue
        values[name] = check_type(key, value, hint)
        each = items[name].metadata.get("items")
        if each is not None:
            values[name] = [_entry(each, item, f"{key}[{i}]") for i, item in enumerate(values[name])]
        rule = items[name].metadata.get("rule")
        if rule is not None:
            rule(key, values[name])
    return cls(**values)


def _entry(cls: type[S], value: Any, key: str) -> S:
    if not isinstance(value, Mapping):
        raise ConfigError(key, value, f"must be a mapping of {', '.join(schema.names(cls))}")
    return read(cls, value, key)


def take(cls: type[S], node: Mapping[str, Any], prefix: str) -> tuple[S, dict[str, Any]]:
    """Split a group's node into its reserved keys, typed, and the rest, which its target takes."""
    reserved = set(schema.names(cls))
    mine = {name: value for name, value in node.items() if name in reserved}
    rest = {name: value for name, value in node.items() if name not in reserved}
    return read(cls, mine, prefix), rest


def base_rate(value: Any) -> float:
    """``optimizer.lr`` as a float: lr=1 is a rate too, and Adafactor asserts a float."""
    rate = check_type("optimizer.lr", value, float)
    if not 0 <= rate < float("inf"):
        raise ConfigError("optimizer.lr", value, "must be a finite number, at least 0")
    return float(rate)


def _check_device(device: str) -> None:
    kind = device.split(":")[0]
    known = ("auto", "cpu", "cuda", "mps")
    if kind not in known:
        remedy = "did you mean 'cuda'?" if kind == "gpu" else nearest(kind, known)
        raise ConfigError("device", device, "is no device", remedy)
    if ":" in device and not re.fullmatch(r"cuda:\d{1,4}", device):
        raise ConfigError(
            "device", device, "only GPUs of CUDA are numbered", "give cpu, mps, cuda, or cuda:0, cuda:1, …"
        )
