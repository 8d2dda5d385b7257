"""Build the objects that a data set's node holds at any depth: data sets of PyTorch, what changes their items.

Each is a mapping with a ``_target_``, which goes through the allowlist like that of a group.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lrsched.config.targets import DOTTED, arguments_in, find, trusted, within
from lrsched.config.walk import is_list, is_mapping
from lrsched.errors import ConfigError, Stopped, UserError

HOMES = ("torch.utils.data", "torchvision.datasets", "torchvision.transforms", "lrsched.data")
"""Where names may come from that need no trust."""

DEFINED = ("torch.utils.data.dataset", *HOMES[1:])
"""Where their classes are defined. Torch's data pipes are not among them: they unpickle what they are given."""

UNPICKLE = ("torchvision.datasets.lsun",)
"""What runs whatever code lies in a file beside its data."""


def with_objects(value: Any, key: str) -> Any:
    """Build every mapping with a ``_target_`` in a value.

    Args:
        value: of an argument.
        key: of the argument.

    Raises:
        ConfigError: a name that is not allowed, or an object that cannot be built.
    """
    if is_list(value):
        return [with_objects(item, f"{key}[{i}]") for i, item in enumerate(value)]
    if not is_mapping(value):
        return value
    if "_target_" not in value:
        return {name: with_objects(item, f"{key}.{name}") for name, item in value.items()}
    target = str(value["_target_"])
    make = _callable(target, key)
    arguments = {name: with_objects(item, f"{key}.{name}") for name, item in arguments_in(value).items()}
    if value.get("_partial_") is True:
        return partial(make, **arguments)
    try:
        return make(**arguments)
    except ConfigError as error:
        raise error.under(key) from error
    except (Stopped, MemoryError):
        raise
    except UserError as error:
        raise ConfigError(key, target, str(error)) from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(key, target, f"cannot be built: {type(error).__name__}: {reason}") from error


def _callable(target: str, key: str) -> Callable[..., Any]:
    """The class that a name stands for; in a trusted module also a function."""
    key = f"{key}._target_"
    homes = (*HOMES, *trusted())
    if not DOTTED.fullmatch(target) or not within(target, homes):
        remedy = "if you trust its module, name it in the environment variable LRSCHED_TRUST"
        raise ConfigError(key, target, f"is not allowed here: it must come from {', '.join(homes)}", remedy)
    found = find(target, key, "data sets")
    allowed = (*DEFINED, *trusted()) if isinstance(found, type) else trusted()
    what = "class" if isinstance(found, type) else "function"
    if not isinstance(found, type) and not inspect.isfunction(found):
        raise ConfigError(key, target, f"is a {type(found).__name__}, and a class or a function is wanted")
    if not within(f"{found.__module__}.", allowed) or within(f"{found.__module__}.", UNPICKLE):
        trust = "; a function must come from a module that you trust" if what == "function" else ""
        raise ConfigError(key, target, f"is no {what} defined in {', '.join(allowed) or 'a trusted module'}{trust}")
    return found


def called_by_name(arguments: Mapping[str, Any], key: str, *, ours: bool) -> dict[str, Any]:
    """The arguments of a data set, with all objects built.

    Args:
        arguments: as the config gives them.
        key: of the data set.
        ours: it is a class of ours, whose ``collate`` is a function where it is a dotted name.
    """
    made = dict(arguments)
    collate = made.get("collate")
    if ours and isinstance(collate, str) and "." in collate:
        made["collate"] = {"_target_": collate, "_partial_": True}
    return {name: with_objects(value, f"{key}.{name}") for name, value in made.items()}
