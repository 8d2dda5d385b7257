"""The numbers in a parameter group, by name: read, and set where the optimizer will look for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

Place = tuple[str, int | None]
"""A key of a parameter group, and which item of the tuple there, or None for the value itself."""

GroupPlace = tuple[int, str, int | None]
"""Number of a parameter group, and a place in it."""


def place(group: Mapping[str, Any], name: str) -> Place | None:
    """Where a group keeps the value of that name, or None.

    A name is a key of the group. NAME1, NAME2, … are the items of the tuple NAME or NAMEs, and
    ``momentum`` is the first beta where there is no momentum of that name.

    >>> adam = {"lr": 0.1, "betas": (0.9, 0.999), "amsgrad": False}
    >>> [place(adam, name) for name in ("lr", "beta2", "momentum", "amsgrad", "beta3")]
    [('lr', None), ('betas', 1), ('betas', 0), None, None]
    """
    if name in group:
        return (name, None) if _is_number(group[name]) else None
    if name == "momentum":
        name = "beta1"
    match = re.fullmatch(r"(\D+)([1-9])", name)
    for key in (f"{match[1]}s", match[1]) if match else ():
        items, index = group.get(key), int(match[2]) - 1  # type: ignore[index]
        if isinstance(items, (tuple, list)) and index < len(items) and _is_number(items[index]):
            return key, index
    return None


def has_value(group: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter group has such a value to set."""
    return place(group, name) is not None


def read_value(group: Mapping[str, Any], name: str) -> float:
    """A value of a parameter group as a number; a KeyError where there is none."""
    where = place(group, name)
    if where is None:
        raise KeyError(name)
    key, index = where
    return float(group[key] if index is None else group[key][index])


def put_value(group: dict[str, Any], key: str, index: int | None, value: float) -> None:
    """Set the value at a place. A tensor is filled in place: what was compiled with it stays compiled.

    >>> adam = {"betas": (0.9, 0.999)}
    >>> put_value(adam, "betas", 1, 0.5)
    >>> adam
    {'betas': (0.9, 0.5)}
    """
    old = group[key] if index is None else group[key][index]
    if isinstance(old, Tensor):
        old.fill_(value)
    elif index is None:
        group[key] = value
    else:
        group[key] = (*group[key][:index], value, *group[key][index + 1 :])


def initial_value(group: Mapping[str, Any], name: str) -> float:
    """The value that a schedule scales: ``initial_NAME`` of the group, or else the value as it is now.

    >>> initial_value({"lr": 0.1}, "lr"), initial_value({"lr": 0.05, "initial_lr": 0.1}, "lr")
    (0.1, 0.1)
    """
    initial = group.get(f"initial_{name}")
    return read_value(group, name) if initial is None else float(initial)


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1
    return isinstance(value, (int, float)) and not isinstance(value, bool)
