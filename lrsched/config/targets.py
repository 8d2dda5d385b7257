"""The allowlist: which objects a config may name, checked on what a name resolves to.

A ``_target_`` is code that a text chooses. So a name must lie in a home of its role, and what it
resolves to must be a class of the right kind *defined* there: an alias of ``os.system`` inside an
allowed module is neither. More homes come from trusted places only: the environment variable
``LRSCHED_TRUST`` (``mypackage:other.module``) or ``[tool.lrsched] trust`` in the ``pyproject.toml`` of
the current folder, never from YAML or from a checkpoint.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from lrsched.config.ranges import check_ranges
from lrsched.config.types import check_type
from lrsched.errors import ConfigError, nearest

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Role:
    """What a config group may name.

    Args:
        group: the config group.
        homes: packages in which its classes are defined.
        kinds: base classes, one of which it must have, by dotted name (imported only when needed).
        given: arguments that the trainer hands over, so the config must not.
    """

    group: str
    homes: tuple[str, ...]
    kinds: tuple[str, ...]
    given: tuple[str, ...] = ()


CURVE = "lrsched.schedules.Schedule"
OPTIMIZER = Role("optimizer", ("torch.optim", "lrsched.optimizers"), ("torch.optim.Optimizer",), ("params",))
SCHEDULER = Role(
    "scheduler",
    ("torch.optim.lr_scheduler", "torch.optim.swa_utils", "lrsched.schedules", "lrsched.schedulers"),
    (CURVE, "lrsched.schedulers.base.Scheduler", "torch.optim.lr_scheduler.LRScheduler"),
    ("optimizer", "horizon", "last_epoch"),
)
MODEL = Role("model", ("lrsched.models",), ("torch.nn.Module",), ("input_shape", "classes"))
DATASET = Role("dataset", ("lrsched.data",), ("lrsched.data.arrays.Source",))
LOGGER = Role("logger", ("lrsched.loggers",), ("lrsched.loggers.base.Logger",))


def resolve(role: Role, target: str, key: str) -> type:
    """The class that a ``_target_`` names.

    Raises:
        ConfigError: it is not an allowed name, there is no such thing, or it is not of the right kind.
    """
    key = f"{key}._target_"
    homes = (*role.homes, *trusted())
    if not _DOTTED.fullmatch(target) or not _within(target, homes):
        raise ConfigError(
            key,
            target,
            f"is not an allowed {role.group}: it must come from {', '.join(homes)}",
            "if you trust its module, name it in the environment variable LRSCHED_TRUST",
        )
    found = _find(role, target, key)
    defined_in = f"{getattr(found, '__module__', '')}."
    if not isinstance(found, type) or not _within(defined_in, homes):
        raise ConfigError(key, target, f"is not a class defined in {', '.join(homes)}")
    # One kind after the other, the lighter first: what is a Schedule is known to be one without torch.
    kind = next((kind for kind in map(_import, role.kinds) if issubclass(found, kind)), None)
    if kind is None or inspect.isabstract(found) or found is kind:
        raise ConfigError(key, target, f"is no {role.group}: it is not a kind of {' or '.join(role.kinds)}")
    return found


def build(role: Role, node: Mapping[str, Any], key: str, **given: Any) -> Any:
    """What a node describes: ``_target_`` and its arguments.

    Args:
        role: what the group may name.
        node: from the config.
        key: of the node, for messages.
        given: what the trainer hands over.

    Raises:
        ConfigError: the target or one of its arguments cannot be used.
    """
    return construct(role, resolve(role, str(node["_target_"]), key), arguments_in(node), key, **given)


def arguments_in(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node without its target, and without ``_partial_``, which says what always holds."""
    return {
        name: value
        for name, value in node.items()
        if name != "_target_" and not (name == "_partial_" and value is True)
    }


def construct(role: Role, cls: type, arguments: Mapping[str, Any], key: str, **given: Any) -> Any:
    """An instance of a class that :func:`resolve` found.

    Raises:
        ConfigError: one of the arguments cannot be used.
    """
    if role is SCHEDULER:
        arguments = {name: _with_children(value, f"{key}.{name}") for name, value in arguments.items()}
    arguments = check_arguments(cls, role, arguments, key)
    try:
        return cls(**given, **arguments)
    except ConfigError as error:
        raise error.under(key) from error
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConfigError(key, cls.__name__, f"cannot be built: {reason}") from error


def _with_children(value: Any, key: str) -> Any:
    """An argument of a scheduler, in which each mapping with a ``_target_`` has become the schedule it names."""
    if isinstance(value, list):
        return [_with_children(item, f"{key}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if "_target_" not in value:
        return {name: _with_children(item, f"{key}.{name}") for name, item in value.items()}
    target = str(value["_target_"])
    if not issubclass(resolve(SCHEDULER, target, key), _import(CURVE)):
        raise ConfigError(
            f"{key}._target_",
            target,
            "is stepped as the run goes, and has no place inside a curve that is known beforehand",
            "a schedule holds schedules, of lrsched.schedules",
        )
    return build(SCHEDULER, value, key)


_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_arguments(cls: type, role: Role, arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The arguments as the class wants them: each one that it takes, of the type that it asks for."""
    parameters = inspect.signature(cls).parameters
    hints = _hints(cls)
    kinds = {name: parameter.kind for name, parameter in parameters.items()}
    open_ended = inspect.Parameter.VAR_KEYWORD in kinds.values()
    offered = [name for name, kind in kinds.items() if name not in role.given and kind not in _ANY_NUMBER]
    checked = {}
    for name, value in arguments.items():
        if name not in offered and (not open_ended or name in role.given or name.startswith("_")):
            raise ConfigError(f"{key}.{name}", value, f"{cls.__name__} takes no such argument", nearest(name, offered))
        checked[name] = check_type(f"{key}.{name}", value, hints.get(name, Any))
    for name in offered:
        if parameters[name].default is inspect.Parameter.empty and name not in checked:
            raise ConfigError(f"{key}.{name}", None, f"{cls.__name__} needs this argument", f"give {key}.{name}=VALUE")
    check_ranges(cls, checked, key)
    return checked


def trusted() -> tuple[str, ...]:
    """Modules that the user trusts beyond our own."""
    names = [name for name in os.environ.get("LRSCHED_TRUST", "").split(":") if name]
    project = Path("pyproject.toml")
    if project.is_file():
        try:
            table = tomllib.loads(project.read_text("utf-8")).get("tool", {}).get("lrsched", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            table = {}  # a broken file trusts nobody
        names += [name for name in table.get("trust", []) if isinstance(name, str)]
    return tuple(dict.fromkeys(names))


def _within(name: str, homes: tuple[str, ...]) -> bool:
    return any(name.startswith(home + ".") or name.rstrip(".") == home for home in homes)


def _find(role: Role, target: str, key: str) -> Any:
    """Import the module part of a dotted name and walk the rest."""
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and name.startswith(error.name):
                continue  # this part is not a module: it is a class, looked for in the module above
            raise ConfigError(key, target, f"cannot be imported: {error}") from error
        for step, part in enumerate(parts[cut:], start=cut):
            try:
                found = getattr(found, part)
            except AttributeError:
                known = [word for word in dir(found) if not word.startswith("_")]
                where = ".".join(parts[:step])
                raise ConfigError(key, target, f"there is no {part} in {where}", nearest(part, known)) from None
        return found
    raise ConfigError(
        key, target, f"there is no module {parts[0]}", f"is it installed? {role.group} must be importable"
    )


def _import(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _hints(cls: type) -> dict[str, Any]:
    """Annotations of a constructor; none where they cannot be evaluated."""
    try:
        # A dataclass's are those of its fields, each to be read in the module that wrote it.
        return get_type_hints(cls if is_dataclass(cls) else cls.__init__, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
