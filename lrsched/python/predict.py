"""Predict from raw inputs: checked, transformed as in training, in the batches of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.assembly.data import AnySplits
from lrsched.checkpoint.places import Checkpoint
from lrsched.data.as_data import as_input
from lrsched.data.batch import Batch, columns, place
from lrsched.data.data import check_finite, form, is_whole, target
from lrsched.data.items import Items
from lrsched.data.loader import InOrder
from lrsched.data.pad import MASK
from lrsched.errors import DataError
from lrsched.python.rebuild import Rebuilt
from lrsched.runs.snapshots import answers
from lrsched.tasks._sums import full_precision
from lrsched.tasks.task import Task


@torch.no_grad()
def predictions(model: nn.Module, x: Any, parts: Rebuilt) -> Tensor:
    """The predictions of a model in evaluation mode; see :meth:`lrsched.python.finished.Run.predict`."""
    outputs: list[Tensor] = []
    for batch in _batches(x, parts):
        with parts.precision():
            output = parts.task.predict(model, batch)
        outputs.append(full_precision(output).cpu())
    return _answer(outputs, parts)


def predictions_together(model: nn.Module, members: Sequence[Checkpoint], x: Any, parts: Rebuilt) -> Tensor:
    """The predictions of snapshots together, as the task makes them one; the model holds one after the other."""
    task, outputs = parts.asked_of(model), list[Tensor]()
    for batch, given in answers(model, members, _batches(x, parts), task.predict, parts.precision):
        output = given[0] if len(given) == 1 else task.ensemble(given, batch)
        outputs.append(full_precision(output).cpu())
    return _answer(outputs, parts)


def _batches(x: Any, parts: Rebuilt) -> InOrder:
    raw = _rows(x, parts) if isinstance(x, (str, PathLike)) else x
    return parts.batches(inputs_like(raw, parts.splits))


def _answer(outputs: list[Tensor], parts: Rebuilt) -> Tensor:
    """Outputs of all batches as the task answers: logits, or numbers in the target's own unit."""
    found, y = torch.cat(outputs), target(parts.splits.like())
    if y is not None and y.ndim == 1 and found.ndim == 2 and found.shape[1] == 1:
        found = found.squeeze(1)  # [B, 1] meets [B], as in the loss
    if type(parts.task).answer is Task.answer:
        return found
    return parts.task.answer(found.double())


def _rows(path: str | PathLike[str], parts: Rebuilt) -> Tensor:
    """The inputs in a file of rows, or in files of pictures."""
    read = getattr(parts.run.dataset.build(), "inputs", None)
    if read is None:
        which = "dataset=table (rows), imagefolder and imagemasks (pictures)"
        raise DataError(f"x={fspath(path)}: only runs of {which} predict what is in a file; give an array")
    return read(fspath(path))


def inputs_like(x: Any, splits: AnySplits) -> Batch:
    """Inputs as columns like those of the training part, without the others.

    Raises:
        DataError: they are of another form, or hold a number that is not finite.
    """
    like = splits.like()
    train = columns(like)
    first = place(list(train), 0)
    missing, context = splits.data.fill is not None, splits.facts.get("context")
    sizes = isinstance(splits.data, Items) and splits.data.collate is not None  # of which any may be another one
    if not isinstance(x, Mapping):
        found = _like("x", x, train[first], missing, context, sizes)
        return {first: found} if isinstance(like, Mapping) else (found,)
    if not isinstance(like, Mapping):
        raise DataError("x: the data of this run are no mapping; give the inputs alone, samples first")
    if first not in x or not set(x) <= set(train):
        raise DataError(
            f"x: has {', '.join(map(str, x))}; give {first} and what else the model needs of {', '.join(train)}"
        )
    if MASK in train and MASK not in x:
        raise DataError(f"x: has no {MASK}, and the run was trained with one: 1 at each token, 0 at what fills up")
    given = {
        name: _like(name, x[name], tensor, missing and name == first, context, sizes)
        for name, tensor in train.items()
        if name in x
    }
    lengths = {name: len(tensor) for name, tensor in given.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"x: the inputs differ in their number of samples: {lengths}")
    return given


def _like(name: str, value: Any, wanted: Tensor, missing: bool, context: int | None, sizes: bool) -> Tensor:
    """One input as a tensor of the type of a training column, its shape and numbers checked."""
    found = as_input(name, value)
    if not len(found):
        raise DataError(f"{name}: holds no sample")
    shape = list(wanted.shape[1:])
    tokens = context is not None and is_whole(wanted) and wanted.ndim == 2  # [N, context + 1], the last one a target
    if tokens and found.ndim == 2:
        if not 0 < found.shape[1] <= max(shape[0], context or 0):
            raise DataError(f"{name}: sequences of 1 to {context} tokens are wanted, not {form(found)}")
    elif (found.ndim != wanted.ndim) if sizes else list(found.shape[1:]) != shape:
        alone = "; one sample alone is x[None]" if list(found.shape) == shape else ""
        of_training = f"{str(wanted.dtype).removeprefix('torch.')} {['N', *shape]}".replace("'", "")
        raise DataError(
            f"{name}: samples of the form that was trained on are wanted, {of_training}, not {form(found)}{alone}"
        )
    if is_whole(wanted):
        return _whole(name, found, wanted.dtype)
    check_finite(name, found, missing=missing)
    return found.to(wanted.dtype)


def _whole(name: str, found: Tensor, dtype: torch.dtype) -> Tensor:
    """Whole numbers in the type of the training column."""
    if dtype == torch.bool:
        return found.bool()
    if not is_whole(found):
        kind = str(dtype).removeprefix("torch.")
        raise DataError(
            f"{name}: raw values are wanted, {kind} as in the data set, not {form(found)}: they are transformed here"
        )
    limits = torch.iinfo(dtype)
    if int(found.min()) < limits.min or int(found.max()) > limits.max:
        raise DataError(
            f"{name}: values from {limits.min} to {limits.max} are wanted, not {int(found.min())} … {int(found.max())}"
        )
    return found.to(dtype)
