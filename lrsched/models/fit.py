"""Compare weights with a model: names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

SHOWN = 4
"""Names of each kind in a message."""


def misfits(weights: Mapping[str, Any], model: nn.Module, match: str | None = None) -> str:
    """Why weights do not fit a model, with names and shapes; empty if they fit.

    Args:
        weights: by name, as in a ``state_dict``.
        model: that they are meant for.
        match: compare only names that this regular expression matches as a whole; None: all.
    """
    live = {name: item for name, item in model.state_dict().items() if match is None or re.fullmatch(match, name)}
    given = {name: item for name, item in weights.items() if match is None or re.fullmatch(match, name)}
    grows = set(live) - {name for name, item in model.named_parameters(remove_duplicate=False) if not is_lazy(item)}
    other = [
        f"{name} {form(item)} is {form(live[name])} in the model"
        for name, item in given.items()
        if name in live and (_kind(item) != _kind(live[name]) or (name not in grows and _differ(item, live[name])))
    ]
    found = [
        _listed("they lack", [f"{name} {form(item)}" for name, item in live.items() if name not in given]),
        _listed("the model has no", [f"{name} {form(item)}" for name, item in given.items() if name not in live]),
        _listed("", other),
    ]
    return "; ".join(filter(None, found))


def _differ(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape != b.shape


def _kind(item: Any) -> str:
    """Numbers of one kind are converted; others would be another value."""
    if not isinstance(item, Tensor):
        return "no tensor"
    return "floats" if item.is_floating_point() else "complex" if item.is_complex() else str(item.dtype)


def form(item: Any) -> str:
    """What a weight is, in words: its shape, and its type unless it is floats."""
    if not isinstance(item, Tensor):
        return f"(a {type(item).__name__})"
    if is_lazy(item):
        return "(of no shape yet)"
    return (
        f"{str(item.dtype).removeprefix('torch.')} {list(item.shape)}"
        if not item.is_floating_point()
        else str(list(item.shape))
    )


def _listed(what: str, items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return f"{what} {', '.join(items[:SHOWN])}{more}".strip() if items else ""
