"""A bad object is one message, raised, and nothing is left behind."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import lrsched
from lrsched.data import Data, Digits
from lrsched.errors import ConfigError, DataError
from lrsched.tasks import Binary, Classification, Regression, Task
from tests.helpers.own_problem import Noisy, NoMean, Pinball
from tests.python.helpers import OWN, net, samples

X, Y = samples()
LABELS = torch.arange(len(Y)) % 3


@dataclass(frozen=True, kw_only=True)
class Lossless(Task):
    """A loss that depends on nothing."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        return torch.zeros(())


@dataclass(frozen=True, kw_only=True)
class Held(Pinball):
    """A task that holds what its author put there."""

    held: Any = None


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


class Locked(nn.Linear):
    """A layer that holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__(3, 1)
        self.lock = threading.Lock()


class Broken(Noisy):
    """A data set whose file is not there."""

    def load(self) -> Data:
        return Data(torch.load("nowhere.pt"))


def with_(x: Tensor, place: tuple[int, ...], value: float) -> Tensor:
    changed = x.clone()
    changed[place] = value
    return changed


def frozen() -> nn.Module:
    model = net(0)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


CLASSIFY = {"task": Classification(), "model": nn.Linear(3, 3)}

BAD: dict[str, tuple[Callable[[], Mapping[str, Any]], str]] = {
    "a class for a model": (
        lambda: {"model": nn.Linear},
        "model=Linear: is a class, and a torch.nn.Module is wanted; give an instance: model=Linear(…)",
    ),
    "a name for a model": (
        lambda: {"model": "mlp"},
        "model=mlp: is no object of the right kind: a torch.nn.Module is wanted; choose one of conf/model/ by an "
        "override, as model=mlp",
    ),
    "a function for a model": (lambda: {"model": lambda x: x}, "model=function: is no object of the right kind"),
    "a state for a model": (lambda: {"model": net(0).state_dict()}, "model=OrderedDict: is no object of the right"),
    "a model without parameters": (
        lambda: {"model": nn.Sequential(nn.Flatten(), nn.ReLU())},
        "model=Sequential: has no parameters: there is nothing to train",
    ),
    "a model that is frozen": (lambda: {"model": frozen()}, "model=Net: has no parameters to train"),
    "a model that cannot be copied": (
        lambda: {"model": Locked()},
        "model=Locked: cannot be copied, and a run trains a copy: TypeError: cannot pickle '_thread.lock' object; keep",
    ),
    "a model of another width": (
        lambda: {"model": nn.Linear(4, 1)},
        "model=Linear: cannot be called with a batch of shape [2, 3]: RuntimeError: mat1 and mat2 shapes",
    ),
    "a model of doubles": (lambda: {"model": net(0).double()}, "model=Net: cannot be called with a batch of shape"),
    "too few logits": (
        lambda: {"data": (X, LABELS), "task": Classification(), "model": nn.Linear(3, 2)},
        "model=Linear: its forward gives a tensor of float32 of shape [2, 2], and logits are wanted",
    ),
    "numbers of another shape": (
        lambda: {"task": Regression(), "model": nn.Linear(3, 2)},
        "model=Linear: its forward gives a tensor of float32 of shape [2, 2], and",
    ),
    "a class for data": (
        lambda: {"data": Digits},
        "data=Digits: is a class, and arrays (x, y), samples first, a map-style Dataset, or lrsched.data.Data is",
    ),
    "a name for data": (lambda: {"data": "digits"}, "data=digits: is no object of the right kind"),
    "an iterable Dataset": (lambda: {"data": Endless()}, "dataset.train: Endless is iterable, and has no samples by"),
    "a DataLoader": (lambda: {"data": DataLoader(TensorDataset(X, Y))}, "data=DataLoader: is no object of the right"),
    "a list for a pair": (lambda: {"data": [X, Y]}, "data: must be a tuple, as (x, y), not a list"),
    "a Source that fails": (lambda: {"data": Broken()}, "dataset=Broken: its load() raised FileNotFoundError: "),
    "unequal lengths": (
        lambda: {"data": (X, Y[:-1])},
        "data: train: the columns differ in their number of samples: 90 of x, 89 of y",
    ),
    "rows of unequal lengths": (
        lambda: {"data": ([[1.0, 2.0], [3.0]], [0, 1])},
        "data: x: cannot be read as an array",
    ),
    "nan": (
        lambda: {"data": (with_(X, (7, 1), math.nan), Y)},
        "data: train x: sample 7 (from 0) holds nan; every value must be finite",
    ),
    "an infinite target": (
        lambda: {"data": (X, with_(Y, (3,), math.inf))},
        "data: train y: sample 3 (from 0) holds inf",
    ),
    "text": (lambda: {"data": (np.array([["a"], ["b"]]), [0, 1])}, "data: x: holds text"),
    "no sample": (lambda: {"data": (X[:0], Y[:0])}, "data: train x: holds no number"),
    "too few samples": (lambda: {"data": (X[:2], Y[:2])}, "dataset.test=0.2: holds out 0 of 2 samples"),
    "four columns": (lambda: {"data": (X, Y, Y.abs(), Y)}, "data: a tuple is (x,), (x, y) or (x, y, weight)"),
    "a negative weight": (lambda: {"data": (X, Y, Y)}, "data: weight: sample"),
    "other columns in the test part": (
        lambda: {"data": ((X, Y), (X,))},
        "data: train has the columns x, y, and test x",
    ),
    "another width in the test part": (lambda: {"data": ((X, Y), (X[:, :2], Y))}, "data: x: float32 [90, 3] in train"),
    "float labels": (lambda: {**CLASSIFY, "data": (X, Y)}, "train y: labels must be whole numbers"),
    "a label below 0": (lambda: {**CLASSIFY, "data": (X, LABELS - 1)}, "train y: sample 0 (from 0) has the label -1"),
    "one class": (lambda: {**CLASSIFY, "data": (X, LABELS * 0)}, "train y: all samples are of one class"),
    "a target that is no yes or no": (lambda: {"task": Binary(), "data": (X, LABELS)}, "train y: sample 2"),
    "a constant target": (
        lambda: {"task": Regression(), "data": (X, torch.ones(90))},
        "train y: the target is 1.0 in every sample",
    ),
    "no target": (lambda: {"task": Regression(), "data": X}, "train: has no target"),
    "a class for a task": (
        lambda: {"task": Regression},
        "task=Regression: is a class, and a lrsched.tasks.Task is wanted; give an instance: task=Regression(…)",
    ),
    "a loss of PyTorch for a task": (
        lambda: {"task": nn.HuberLoss()},
        "task=HuberLoss: is no object of the right kind: a lrsched.tasks.Task is wanted; choose one of conf/task/ by "
        "an override, as task=regression or task=torch/HuberLoss",
    ),
    "a function for a task": (lambda: {"task": nn.functional.mse_loss}, "task=function: is no object of the right"),
    "a loss that is no mean": (lambda: {"task": NoMean()}, "one number is wanted, the mean over the batch"),
    "a loss of nothing": (lambda: {"task": Lossless()}, "no gradient can flow back"),
    "weights of another number of classes": (
        lambda: {**CLASSIFY, "task": Classification(class_weights=(1.0, 2.0)), "data": (X, LABELS)},
        "task.class_weights=[1.0,2.0]: ",
    ),
    "nan in a task": (lambda: {"task": Held(held=math.nan)}, "task.fields.held=nan: must be a finite number"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_object_is_one_message_and_leaves_nothing(name, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    objects, message = BAD[name]
    given = {"model": net(0), "data": Noisy(), "task": Pinball(), **objects()}
    with pytest.raises((ConfigError, DataError)) as caught:
        lrsched.run([*OWN, "name=bad"], **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
