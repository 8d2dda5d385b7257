"""The allowlist: which classes a config may name.

A ``_target_`` is a text that chooses code. So a name must lie in a home of its role, and it must resolve to a class
of the right kind that is *defined* there: an alias of ``os.system`` inside an allowed module is neither. The variable
``LRSCHED_TRUST`` (``mypackage:other.module``) and ``[tool.lrsched] trust`` of a ``pyproject.toml`` alone add homes.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pkgutil import resolve_name
from typing import Any, cast, get_type_hints

from lrsched.config.peers import nearest_key
from lrsched.config.project import project
from lrsched.config.ranges import check_ranges
from lrsched.config.types import check_type
from lrsched.config.walk import is_list, is_mapping, leaves
from lrsched.errors import ConfigError, NotMeant, nearest

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Role:
    """What a config group may name.

    Args:
        group: the config group.
        homes: packages in which its classes are defined.
        kinds: base classes by dotted name, imported when needed; a class must have one of them.
        given: arguments that the trainer hands over, and a config must not.
        facts: what the config does not give is taken from the facts of the data, by name.
    """

    group: str
    homes: tuple[str, ...]
    kinds: tuple[str, ...]
    given: tuple[str, ...] = ()
    facts: bool = False


CURVE = "lrsched.schedules.Schedule"
OPTIMIZERS = ("torch.optim", "lrsched.optimizers", "schedulefree")
OPTIMIZER = Role("optimizer", OPTIMIZERS, ("torch.optim.Optimizer",), ("params",))
SCHEDULER = Role(
    "scheduler",
    ("torch.optim.lr_scheduler", "torch.optim.swa_utils", "lrsched.schedules", "lrsched.schedulers"),
    (CURVE, "lrsched.schedulers.base.Scheduler", "torch.optim.lr_scheduler.LRScheduler"),
    ("optimizer", "horizon", "last_epoch"),
)
CONVENTIONS = {
    "transformers": "hf",
    "timm": "timm",
    "optax": "optax",
    "keras": "keras",
    "tensorflow": "keras",
    "megatron": "megatron",
    "torchtitan": "titan",
}
"""Libraries whose schedules are not built but computed: ``convention=`` gives their numbers."""

MODEL = Role("model", ("lrsched.models",), ("torch.nn.Module",), ("input_shape", "classes"), facts=True)
TASK = Role(
    "task", ("lrsched.tasks", "torch.nn"), ("lrsched.tasks.task.Task", "torch.nn.modules.loss._Loss"), facts=True
)
DATASET = Role("dataset", ("lrsched.data",), ("lrsched.data.source.Source",))
AVERAGING = Role("average", ("lrsched.averages",), ("lrsched.averages.base.Average",))
LOGGER = Role("logger", ("lrsched.loggers",), ("lrsched.loggers.base.Logger",))


def resolve(role: Role, target: str, key: str) -> type:
    """Find the class that a ``_target_`` names.

    Args:
        role: what the group may name.
        target: the dotted name.
        key: of the node, for messages.

    Raises:
        ConfigError: the name is not allowed, names nothing, or names something of another kind.
    """
    key = f"{key}._target_"
    homes = (*role.homes, *trusted())
    if not DOTTED.fullmatch(target) or not within(target, homes):
        convention = CONVENTIONS.get(target.partition(".")[0]) if role == SCHEDULER else None
        remedy = "if you trust its module, name it in the environment variable LRSCHED_TRUST"
        if convention:
            remedy = f"its numbers are here: scheduler=cosine scheduler.convention={convention}, or another schedule"
        raise ConfigError(key, target, f"is not an allowed {role.group}: it must come from {', '.join(homes)}", remedy)
    found = find(target, key, role.group)
    defined_in = f"{getattr(found, '__module__', '')}."
    if not isinstance(found, type) or not within(defined_in, homes):
        raise ConfigError(key, target, f"is not a class defined in {', '.join(homes)}")
    # Tries the lightest kind first: a Schedule is found to be one without torch.
    kind = next((kind for kind in map(resolve_name, role.kinds) if issubclass(found, kind)), None)
    if kind is None or inspect.isabstract(found) or found is kind:
        raise ConfigError(key, target, f"is no {role.group}: it is not a kind of {' or '.join(role.kinds)}")
    return found


def arguments_in(node: Mapping[str, Any]) -> dict[str, Any]:
    """Read a node without its target, and without ``_partial_: true``, which always holds."""
    return {
        name: value
        for name, value in node.items()
        if name != "_target_" and not (name == "_partial_" and value is True)
    }


def construct(role: Role, cls: type, arguments: Mapping[str, Any], key: str, **given: Any) -> Any:
    """Make an instance of a class that :func:`resolve` found.

    Args:
        role: what the group may name.
        cls: the class.
        arguments: from the config.
        key: of the node, for messages.
        given: what the trainer hands over.

    Raises:
        ConfigError: the class cannot be built with these arguments.
    """
    if role == SCHEDULER:
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
    """Build the schedules in an argument of a scheduler: every mapping with a ``_target_``, at any depth."""
    if is_list(value):
        return [_with_children(item, f"{key}[{i}]") for i, item in enumerate(value)]
    if not is_mapping(value):
        return value
    if "_target_" not in value:
        return {name: _with_children(item, f"{key}.{name}") for name, item in value.items()}
    target = str(value["_target_"])
    cls = resolve(SCHEDULER, target, key)
    if not issubclass(cls, resolve_name(CURVE)):
        raise ConfigError(
            f"{key}._target_",
            target,
            "is stepped as the run goes, so a curve that is known beforehand cannot hold it",
            "give a schedule of lrsched.schedules",
        )
    return construct(SCHEDULER, cls, arguments_in(value), key)


_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_arguments(cls: type, role: Role, arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Convert arguments to the types that the class asks for.

    Raises:
        ConfigError: an argument that the class does not take, one of another type or out of its range, or one missing.
    """
    parameters = inspect.signature(cls).parameters
    hints = hints_of(cls)
    kinds = {name: parameter.kind for name, parameter in parameters.items()}
    open_ended = inspect.Parameter.VAR_KEYWORD in kinds.values()
    offered = [name for name, kind in kinds.items() if name not in role.given and kind not in _ANY_NUMBER]
    checked: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in offered and (not open_ended or name in role.given or name.startswith("_")):
            rule = f"{cls.__name__} takes no such argument"
            raise NotMeant(f"{key}.{name}", value, rule, nearest_key(name, offered))
        try:
            checked[name] = check_type(f"{key}.{name}", value, hints.get(name, Any))
        except ConfigError as error:
            raise NotMeant(*error.args) from None
    for name in () if role.facts else offered:
        if parameters[name].default is inspect.Parameter.empty and name not in checked:
            raise ConfigError(f"{key}.{name}", None, f"{cls.__name__} needs this argument", f"give {key}.{name}=VALUE")
    check_ranges(cls, checked, key)
    return checked


def needed_trust(config: Mapping[str, Any]) -> list[str]:
    """List the modules of ``LRSCHED_TRUST`` that hold what a config names: a new shell must trust them too."""
    targets = [str(value) for key, value in leaves(config) if key.rpartition(".")[2] in ("_target_", "collate")]
    return [name for name in _of_environment() if any(within(target, (name,)) for target in targets)]


def trusted() -> tuple[str, ...]:
    """List the modules that the user trusts beyond our own.

    Raises:
        ConfigError: ``pyproject.toml`` cannot be read, or its ``trust`` is no list of names.
    """
    named: Any = (project() or {}).get("trust", [])
    listed = cast(list[Any], named) if isinstance(named, list) else [None]
    own = [name for name in listed if isinstance(name, str)]
    if len(own) != len(listed):
        raise ConfigError("[tool.lrsched] trust", named, "must be a list of modules", 'as in trust = ["my_project"]')
    return tuple(dict.fromkeys([*_of_environment(), *own]))


def _of_environment() -> list[str]:
    return [name for name in re.split("[:,]", os.environ.get("LRSCHED_TRUST", "")) if name]


def within(name: str, homes: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of these modules, or lies in one."""
    return any(name.startswith(home + ".") or name.rstrip(".") == home for home in homes)


def find(target: str, key: str, what: str) -> Any:
    """Import the module part of a dotted name and walk the rest.

    Args:
        target: the name.
        key: for messages.
        what: it stands for.

    Raises:
        ConfigError: there is no such thing.
    """
    parts = target.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and name.startswith(error.name):
                continue  # a class, not a module: look for it in the module above
            raise ConfigError(key, target, f"cannot be imported: {error}") from error
        for step, part in enumerate(parts[cut:], start=cut):
            try:
                found = getattr(found, part)
            except AttributeError:
                where = ".".join(parts[:step])
                own = {word: str(getattr(getattr(found, word, None), "__module__", where)) for word in dir(found)}
                known = [word for word, home in own.items() if word[0] != "_" and home.startswith(where)]
                raise ConfigError(key, target, f"there is no {part} in {where}", nearest(part, known)) from None
        return found
    extra = f"pip install 'hydra-lrsched[{parts[0]}]'" if parts[0] == "schedulefree" else ""
    remedy = extra or f"is it installed? {what} must be importable"
    raise ConfigError(key, target, f"there is no module {parts[0]}", remedy)


def hints_of(cls: Any) -> dict[str, Any]:
    """Read the annotations of a constructor; none where they cannot be evaluated."""
    try:
        # A dataclass is read by its fields, each in the module that wrote it.
        return get_type_hints(cls if is_dataclass(cls) else cls.__init__, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
