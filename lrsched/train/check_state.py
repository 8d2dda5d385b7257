"""Check that a saved state fits this model, optimizer and scheduler, before anything live changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from lrsched.errors import CheckpointError

_OWN = ("torch.optim.", "lrsched.optimizers.")
_OPTIONAL = ("best_weights", "kept")  # further copies of the weights, or None
_OPEN = ("metrics", "best.metrics", "early.metrics")  # empty until the first evaluation
_FOREIGN = ("scheduler.inner", "optimizer.param_groups")  # a class may add names to its state as it goes
_WAITING = {"scheduler": {"newest"}}  # there only while a metric waits for its epoch's end


def check_fits(
    saved: Mapping[str, Any], live: Mapping[str, Any], optimizer: Optimizer, growing: Collection[str] = ()
) -> None:
    """Compare a saved state with that of a freshly built run, item by item.

    Args:
        saved: what a checkpoint holds.
        live: ``RunState.state_dict()`` of the run that would load it.
        optimizer: of that run; says which parameter a buffer belongs to.
        growing: the model's names that hold no parameter: its own ``load_state_dict`` knows their shapes.

    Raises:
        CheckpointError: an item is missing, unknown, or of another type or shape; names it.
    """
    _same_names(saved, live, "state")
    for name, item in live.items():
        if (saved[name] is None) != (item is None) and name not in _OPTIONAL:
            _refuse(name, f"is {_kind(saved[name])} in the checkpoint and {_kind(item)} here")
        if name == "optimizer":
            _check_optimizer(saved[name], item, optimizer)
        elif name in _OPTIONAL:
            _check_weights(saved[name], live, name, optimizer, growing)
        elif name == "average":
            _check_average(saved[name], item, name, growing)
        elif name == "model":
            _check_model(saved[name], item, name, growing)
        else:
            _compare(saved[name], item, name)
    for name in ("step", "metrics_bytes"):
        if type(saved[name]) is not int or saved[name] < 0:
            _refuse(name, f"{saved[name]!r} is no count")


def _check_optimizer(saved: Any, live: Mapping[str, Any], optimizer: Optimizer) -> None:
    if not isinstance(saved, Mapping):
        _refuse("optimizer", f"is a {type(saved).__name__}, not a mapping")
    groups = saved.get("param_groups")
    if not isinstance(groups, list) or len(groups) != len(live["param_groups"]):
        _refuse("optimizer.param_groups", f"are not the {len(live['param_groups'])} of this run")
    _compare(groups, live["param_groups"], "optimizer.param_groups")
    if [group["params"] for group in groups] != [group["params"] for group in live["param_groups"]]:
        _refuse("optimizer.param_groups", "hold other parameters")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    known = type(optimizer).__module__.startswith(_OWN)
    buffers = saved.get("state")
    if not isinstance(buffers, Mapping):
        _refuse("optimizer.state", f"is a {type(buffers).__name__}")
    for index, own in buffers.items():
        where = f"optimizer.state.{index}"
        if type(index) is not int or not 0 <= index < len(parameters) or not isinstance(own, Mapping):
            _refuse(where, f"there are {len(parameters)} parameters")
        for name, value in own.items():
            # A third party's optimizer may keep buffers of any shape; those of torch and ours broadcast.
            if known and isinstance(value, Tensor) and not _broadcasts(value.shape, parameters[index].shape):
                _refuse(f"{where}.{name}", f"{tuple(value.shape)} is no shape for {tuple(parameters[index].shape)}")


def _check_model(saved: Any, live: Mapping[str, Any], where: str, growing: Collection[str]) -> None:
    if not isinstance(saved, Mapping):
        _refuse(where, f"is {_kind(saved)} in the checkpoint and {_kind(live)} here")
    _same_names(saved, live, where)
    for name, item in live.items():
        if name not in growing:
            _compare(saved[name], item, f"{where}.{name}")
        elif isinstance(item, Tensor) and getattr(saved[name], "dtype", None) != item.dtype:  # would be cast in silence
            _refuse(f"{where}.{name}", f"is {_form(saved[name])} in the checkpoint and {_form(item)} here")


def _check_weights(
    saved: Any, live: Mapping[str, Any], name: str, optimizer: Optimizer, growing: Collection[str]
) -> None:
    """Check a further copy of the weights, or None; one that is kept has its optimizer's state and its average."""
    if saved is None:
        return
    with_it = {"model", "optimizer", *(["average"] if "average" in live else [])}
    if name == "kept" and isinstance(saved, Mapping) and set(saved) == with_it:
        _check_optimizer(saved["optimizer"], optimizer.state_dict(), optimizer)
        if "average" in live:
            _check_average(saved["average"], live["average"], f"{name}.average", growing)
        saved = saved["model"]
    _check_model(saved, live["model"], name, growing)


def _check_average(saved: Any, live: Mapping[str, Any], where: str, growing: Collection[str]) -> None:
    """Check an average of the weights, and the weights in its window."""
    if not isinstance(saved, Mapping):
        _refuse(where, f"is {_kind(saved)} in the checkpoint and {_kind(live)} here")
    _same_names(saved, live, where)
    _check_model(saved["model"], live["model"], f"{where}.model", growing)
    _compare(saved["count"], live["count"], f"{where}.count")
    if not isinstance(saved["window"], list):
        _refuse(f"{where}.window", f"is {_kind(saved['window'])}, not a list")
    for number, held in enumerate(saved["window"]):
        theirs = {name: live["model"][name] for name in held if name in live["model"]} if held else live["model"]
        _check_model(held, theirs, f"{where}.window.{number}", growing)


def _compare(saved: Any, live: Any, where: str) -> None:
    """Compare types, names, lengths and shapes, but no values; None fits anything."""
    if saved is None or live is None:
        return
    if isinstance(live, np.generic):  # a checkpoint holds it as a number of Python
        live = live.item()
    if isinstance(live, Tensor):
        if not isinstance(saved, Tensor):
            _refuse(where, f"is a {type(saved).__name__}, not a tensor")
        if (saved.shape != live.shape and not where.startswith(_FOREIGN)) or saved.dtype != live.dtype:
            _refuse(where, f"is {_form(saved)} in the checkpoint and {_form(live)} here")
    elif isinstance(live, Mapping):
        if not isinstance(saved, Mapping):
            _refuse(where, f"is a {type(saved).__name__}, not a mapping")
        if all(isinstance(key, str) for key in [*saved, *live]) and where not in _OPEN:
            _same_names(saved, live, where, gains=where.startswith(_FOREIGN))
            for key, item in live.items():
                _compare(saved.get(key), item, f"{where}.{key}")
    elif isinstance(live, (list, tuple)):
        if not isinstance(saved, (list, tuple)):
            _refuse(where, f"is a {type(saved).__name__}, not a list")
        for number, (mine, theirs) in enumerate(zip(live, saved, strict=False)):
            _compare(theirs, mine, f"{where}.{number}")
    elif isinstance(live, (bool, int, float)):
        if not isinstance(saved, (bool, int, float)):
            _refuse(where, f"is a {type(saved).__name__}, not a number")
    elif type(saved) is not type(live):
        _refuse(where, f"is a {type(saved).__name__}, not a {type(live).__name__}")


def _same_names(saved: Mapping[str, Any], live: Mapping[str, Any], where: str, *, gains: bool = False) -> None:
    optional = _WAITING.get(where, set())
    missing = sorted(set(live) - set(saved) - optional)
    strange = [] if gains else sorted(set(saved) - set(live) - optional)
    if missing or strange:
        complaints = [f"lacks {', '.join(missing)}"] if missing else []
        complaints += [f"has unknown items {', '.join(strange)}"] if strange else []
        _refuse(where, " and ".join(complaints))


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    """Whether a tensor of one shape broadcasts to the other. (torch.broadcast_shapes would import SymPy.)"""
    aligned = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(own in (1, whole) for own, whole in aligned)


def _kind(item: Any) -> str:
    return "nothing" if item is None else f"a {type(item).__name__}"


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _refuse(where: str, what: str) -> NoReturn:
    raise CheckpointError(f"the checkpoint does not fit this model, optimizer or scheduler: {where} {what}")
