"""Make Data of what a person has at hand: tensors, numpy arrays, lists of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lrsched.data.batch import NAMES, Batch, column
from lrsched.data.data import Data, is_whole, target
from lrsched.data.source import Source
from lrsched.errors import DataError


def as_data(value: Any, *, standardise: bool = False) -> Data:
    """The data set that a value stands for.

    Numbers change their type as :func:`as_input`, :func:`as_target` and :func:`as_weight` say: inputs and targets of
    float64 become float32, and labels of int32 become int64. Samples with one label each (whole numbers [N]) are
    split class by class; a number to be predicted must be a float.

    Args:
        value: Data; a Source; one array of samples; a tuple (x, y) or (x, y, weight) of arrays; a mapping of them by
            name; or two such tuples or mappings, the training and the test part. An array is a tensor, a numpy array,
            or what numpy makes one of (a list, a pandas column).
        standardise: bring each input to mean 0 and standard deviation 1; unused where ``value`` is Data or a Source.

    Raises:
        DataError: the value is none of these, or its numbers cannot be used.

    >>> data = as_data((np.zeros((4, 3)), np.array([0, 1, 1, 0], dtype=np.int32)))
    >>> data.train[0].dtype, data.train[1].dtype, data.facts["classes"]
    (torch.float32, torch.int64, 2)
    """
    if isinstance(value, Data):
        return value
    if isinstance(value, Source):
        loaded = value.load()
        if not isinstance(loaded, Data):
            raise DataError(f"{type(value).__name__} makes its samples one by one, and they are wanted in memory here")
        return loaded
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, (tuple, Mapping)) for part in value):
        train, test = (_columns(f"{name} ", part) for name, part in zip(("train", "test"), value, strict=True))
    else:
        train, test = _columns("", value), None
    return Data(train, test, strata=labels_of(train), standardise=standardise)


def labels_of(train: Batch) -> Tensor | None:
    """The classes of the samples, int64 [N], where each has one."""
    y = target(train)
    return y if y is not None and y.ndim == 1 and is_whole(y) and column(train, 0) is not y else None


def _columns(part: str, value: Any) -> Batch:
    if isinstance(value, Mapping):
        named = cast("Mapping[Any, Any]", value)
        kinds = {"y": as_target, "weight": as_weight}
        return {str(name): kinds.get(name, as_input)(f"{part}{name}", array) for name, array in named.items()}
    if not isinstance(value, (tuple, list)):
        return (as_input(f"{part}x", value),)
    if isinstance(value, list):
        raise DataError(f"{part}data: must be a tuple, as (x, y), not a list: a list may be rows or columns")
    arrays = cast("tuple[Any, ...]", value)
    if not 1 <= len(arrays) <= len(NAMES):
        raise DataError(
            f"{part}data: a tuple is (x,), (x, y) or (x, y, weight), and this one has {len(arrays)} entries; "
            "give a mapping of arrays by name for more of them"
        )
    makers = (as_input, as_target, as_weight)
    return tuple(make(part + name, array) for make, name, array in zip(makers, NAMES, arrays, strict=False))


def as_input(what: str, array: Any) -> Tensor:
    """Samples: floats as float32; uint8 as it is; other whole numbers as int64; true and false as 1.0 and 0.0.

    Args:
        what: what to call the array.
        array: samples first.

    Raises:
        DataError: it holds no numbers, complex ones, or ones that int64 or float32 cannot hold.
    """
    found = _tensor(what, array)
    if found.dtype == torch.bool or found.is_floating_point():
        return _float32(what, found)
    return found if found.dtype == torch.uint8 else found.long()


def as_target(what: str, array: Any) -> Tensor:
    """Targets: floats of any width as float32; whole numbers, true and false as int64.

    Raises:
        DataError: as for :func:`as_input`.
    """
    found = _tensor(what, array)
    return _float32(what, found) if found.is_floating_point() else found.long()


def as_weight(what: str, array: Any) -> Tensor:
    """What samples weigh: float32 [N], at least 0 and not all 0.

    Raises:
        DataError: names the first sample that has no such weight.
    """
    found = _float32(what, _tensor(what, array))
    if found.ndim != 1:
        raise DataError(f"{what}: must be one number a sample, not of shape {list(found.shape)}")
    wrong = (~(found >= 0)).nonzero()
    if len(wrong):
        sample = int(wrong[0])
        raise DataError(f"{what}: sample {sample} (from 0) weighs {found[sample].item()}; a weight is at least 0")
    if not found.any():
        raise DataError(f"{what}: every sample weighs 0; there is nothing to train on")
    return found


def _tensor(what: str, array: Any) -> Tensor:
    """The array as a tensor, samples first, that shares its memory where it can."""
    if isinstance(array, Tensor):
        if array.layout != torch.strided:
            raise DataError(f"{what}: is a sparse tensor; give it dense, as tensor.to_dense()")
        found = array.detach()
        if found.is_complex():
            raise DataError(f"{what}: holds complex numbers; give their real and imaginary parts as inputs")
    else:
        found = torch.from_numpy(_numbers(what, array))
    if not found.ndim:
        raise DataError(f"{what}: is a single number; samples lie in its first dimension")
    return found


def _numbers(what: str, array: Any) -> np.ndarray[Any, Any]:
    """The array as numbers of a type that torch knows."""
    try:
        found = np.asarray(array)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{what}: cannot be read as an array ({reason}); are its rows of one length?") from error
    kind = found.dtype.kind
    if kind in "OUSVMm":
        names = {"O": "objects", "U": "text", "S": "bytes", "V": "records", "M": "dates", "m": "spans of time"}
        raise DataError(
            f"{what}: holds {names[kind]} (numpy {found.dtype}), not numbers; make numbers of them before, and rows of "
            "one length"
        )
    if kind == "c":
        raise DataError(f"{what}: holds complex numbers; give their real and imaginary parts as inputs")
    if kind == "u" and found.dtype.itemsize == 8 and found.size and found.max() > np.iinfo(np.int64).max:
        raise DataError(f"{what}: holds {found.max()}, and the largest whole number here is {np.iinfo(np.int64).max}")
    if kind == "u" and found.dtype.itemsize > 1:
        found = found.astype(np.int64)
    if kind == "f" and found.dtype.itemsize > 8:
        found = found.astype(np.float64)
    found = np.ascontiguousarray(found, found.dtype.newbyteorder("=")).reshape(found.shape)
    return found if found.flags.writeable else found.copy()


def _float32(what: str, found: Tensor) -> Tensor:
    made = found.float()
    if found.dtype == torch.float64:
        beyond = (made.isinf() & found.isfinite()).nonzero()
        if len(beyond):
            place = beyond[0].tolist()
            value = found[tuple(place)].item()
            raise DataError(
                f"{what}: sample {place[0]} (from 0) holds {value}, beyond float32; give it in another unit"
            )
    return made
