"""Name the task and the model that data of some form are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lrsched.data.batch import INPUTS, Batch, column, named
from lrsched.data.data import is_whole, target


def advice(train: Batch, facts: Mapping[str, Any]) -> str:
    """What to do with samples of this form, which are none for a task: empty where nothing is known.

    >>> advice((torch.zeros(4, 3), torch.eye(4)), {})
    'where one number of a target is 1 and the others 0, give its place, the class: y.argmax(1)'
    >>> advice((torch.zeros(4, 3), torch.tensor([0.5, 0.1, 2.0, 1.0])), {})
    'such data are for task=regression'
    """
    y = target(train)
    if y is not None and _one_hot(y):
        return "where one number of a target is 1 and the others 0, give its place, the class: y.argmax(1)"
    name, model = fitting(train, facts)
    more = f" model={model}" if model in ("gpt", "unet") else ""
    return f"such data are for task={name}{more}" if name else ""


def _one_hot(y: torch.Tensor) -> bool:
    rows = y.ndim == 2 and y.shape[1] > 1 and not y.is_complex()
    return rows and bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def fitting(train: Batch, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The task and the model, as one chooses them, for samples of this form.

    Args:
        train: some samples.
        facts: of the data.

    >>> fitting((torch.zeros(4, 3), torch.tensor([0.5, 0.1, 2.0, 1.0])), {})
    ('regression', 'mlp')
    >>> fitting((torch.zeros(4, 3), torch.tensor([[0, 1], [1, 1], [0, 0], [0, 1]])), {})
    ('binary', 'mlp')
    >>> fitting((torch.zeros(2, 9, dtype=torch.uint8),), {})
    ('language_model', 'gpt')
    >>> fitting({"input_ids": torch.zeros(2, 9), "labels": torch.tensor([0, 1])}, {})
    ('hf', 'hf')
    """
    if named(train) and any(name in INPUTS for name in train):
        return "hf", "hf"
    x, y = column(train, 0), target(train)
    model = "cnn" if x.ndim == 4 else "mlp"
    if y is None or "vocabulary" in facts:
        return ("language_model", "gpt") if is_whole(x) and x.ndim == 2 else ("", model)
    if x.ndim == 4 and y.ndim == 3 and is_whole(y):
        return "segmentation", "unet"
    if is_whole(y) and y.ndim == 1 and y.dtype != torch.bool:
        return "classification", model
    yes_or_no = not y.is_complex() and bool(((y == 0) | (y == 1)).all())
    return "binary" if yes_or_no and y.ndim <= 2 else "regression", model
