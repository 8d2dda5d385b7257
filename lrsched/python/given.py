"""What Python gives a run instead of YAML: a model, a data set, a task."""

from __future__ import annotations

import re
from copy import deepcopy
from enum import Enum
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lrsched.config.given import GIVEN, Given
from lrsched.config.walk import is_list, is_mapping
from lrsched.data.as_data import as_data
from lrsched.data.data import Data
from lrsched.data.items import Items
from lrsched.data.source import Source
from lrsched.errors import ConfigError, DataError
from lrsched.python.hashing import sha256_of, structure_of, weights_of
from lrsched.tasks.task import Task

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def given_objects(model: Any, data: Any, task: Any) -> dict[str, Given]:
    """The objects by the key of the node that each stands in for; None: the config says it.

    Raises:
        ConfigError, DataError: one that cannot be used, in a word about what is wanted.
    """
    found: dict[str, Given] = {}
    if model is not None:
        found["model"] = _model(model)
    if data is not None:
        found["dataset"] = _data(data)
    if task is not None:
        found["task"] = _task(task)
    return found


class _Held(Source):
    """Samples that are there already."""

    def __init__(self, data: Data | Items) -> None:
        self._data = data

    def load(self) -> Data | Items:
        """The data."""
        return self._data


def _model(model: Any) -> Given:
    if not isinstance(model, nn.Module):
        _refuse("model", model, "a torch.nn.Module", "choose one of conf/model/ by an override, as model=mlp")
    if not any(True for _ in model.parameters()):
        raise ConfigError("model", type(model).__qualname__, "has no parameters: there is nothing to train")
    node = {"_target_": GIVEN, "class": type(model).__qualname__}
    node |= {"structure": structure_of(model), "sha256": weights_of(model)}
    first = _copy(model)
    return Given(type(model), node, lambda facts: _copy(first), initial=("sha256",))


def _copy(model: nn.Module) -> nn.Module:
    try:
        return deepcopy(model)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        rule = f"cannot be copied, and a run trains a copy: {type(error).__name__}: {reason}"
        remedy = "keep no result of a computation in it, and no open file, lock or generator"
        raise ConfigError("model", type(model).__qualname__, rule, remedy) from error


def _data(data: Any) -> Given:
    if isinstance(data, (str, type, DataLoader)):
        wanted = "arrays (x, y), samples first, a map-style Dataset, or lrsched.data.Data"
        _refuse("data", data, wanted, "choose one of conf/dataset/ by an override, as dataset=digits")
    try:
        held = data if isinstance(data, Source) else _Held(_held(data))
    except DataError as error:
        said = str(error)
        raise DataError(said if said.startswith("data") else f"data: {said}") from error
    return Given(type(data), {"_target_": GIVEN}, lambda facts: held)


def _held(data: Any) -> Data | Items:
    if isinstance(data, Items):
        return data
    by_number = isinstance(data, Dataset) or hasattr(data, "__getitems__")  # the second one: Hugging Face's
    return Items(data) if by_number else as_data(data)


def _task(task: Any) -> Given:
    if not isinstance(task, Task):
        remedy = "choose one of conf/task/ by an override, as task=regression or task=torch/HuberLoss"
        _refuse("task", task, "a lrsched.tasks.Task", remedy)
    fields = {name: _kept(f"task.{name}", value) for name, value in task.parameters().items()}
    node = {"_target_": GIVEN, "class": type(task).__qualname__, "fields": fields}
    return Given(type(task), node, task.told)


def _kept(what: str, value: Any) -> Any:
    """A field of a task as its config keeps it: numbers and text as they are, anything else by what tells it apart."""
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, np.generic):
        return _kept(what, value.item())
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if is_mapping(value):
        return {str(name): _kept(f"{what}.{name}", item) for name, item in value.items()}
    if is_list(value):
        return [_kept(f"{what}[{number}]", item) for number, item in enumerate(value)]
    if isinstance(value, (Tensor, np.ndarray)):
        return {"sha256": sha256_of({what: torch.as_tensor(value)})}
    if isinstance(value, nn.Module):
        return {"structure": structure_of(value), "sha256": weights_of(value)}
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return _ADDRESS.sub("", f"{type(value).__qualname__}: {value!r}").replace("${", "\\${")


def _refuse(name: str, value: Any, wanted: str, by_word: str) -> NoReturn:
    """Refuse an object of another kind."""
    if isinstance(value, type):
        rule, remedy = "is a class", f"give an instance: {name}={value.__qualname__}(…)"
        raise ConfigError(name, value.__qualname__, f"{rule}, and {wanted} is wanted", remedy)
    shown = value if isinstance(value, (str, int, float)) else type(value).__qualname__
    raise ConfigError(name, shown, f"is no object of the right kind: {wanted} is wanted", by_word)
