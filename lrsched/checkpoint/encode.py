"""What a checkpoint can give back: encode numpy's values, and name whatever cannot be loaded again."""

from __future__ import annotations

import copy
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from textwrap import shorten
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lrsched.errors import CheckpointError, StateError

_ARRAY = {"numpy.dtype", "numpy.shape", "numpy.bytes"}
"""The names in a mapping that stands for an array."""

DEEPEST = 200
"""Containers in one another, at most: each costs some of Python's stack."""

_MAPPINGS, _SEQUENCES = (dict, OrderedDict, Counter), (list, tuple, set)
_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))
"""Kinds of values with nothing inside, of which a generator's state alone has hundreds."""

_PLAIN = (bool, float, str, type(None))
_NUMBERS = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)
_SCALARS = "biufcSU"
"""The kinds of numpy's scalars that Python has, too."""


def encoded(state: Mapping[str, Any]) -> dict[str, Any]:
    """The same state as ``weights_only=True`` loads it: a number for each scalar of numpy, its bytes for each array.

    What holds none of these is kept as it is, so that its bytes in the file stay the same; so is what no rule here
    knows: only loading it shows whether it can be loaded.

    Raises:
        StateError: a part lies inside itself, or too deep; names it.
    """
    _refuse_endless(state, "", {})
    return _encoded(dict(state))


def _refuse_endless(value: Any, path: str, above: dict[int, str]) -> None:
    """Refuse a container that lies inside itself, or inside too many others.

    Args:
        value: a state, or a part of one.
        path: its name.
        above: the containers that it lies in, the outermost first: the name of each by its address.
    """
    if not isinstance(value, (Mapping, list, tuple)):
        return
    fault = f"it lies inside itself: it is {above[id(value)] or 'the whole state'} again" if id(value) in above else ""
    if len(above) == DEEPEST:
        fault = f"it lies in {DEEPEST} containers, one inside the other"
    if fault:
        raise StateError(f"{path} is no state that can be loaded again: {fault}")
    inside = {**above, id(value): path}
    for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        if type(item) not in _ATOMS:
            _refuse_endless(item, f"{path}.{name}" if path else str(name), inside)


def _encoded(value: Any) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is np.ndarray:
        return _bytes_of(value)
    if kind in _SEQUENCES:
        items = [_encoded(item) for item in value]
        return value if _same_objects(items, value) else kind(items)
    if kind not in _MAPPINGS:
        return value.item() if isinstance(value, np.generic) and value.dtype.kind in _SCALARS else value
    names, items = [_encoded(name) for name in value], [_encoded(item) for item in value.values()]
    if set(names) == _ARRAY:  # a mapping that only looks like an array
        inside = dict(zip(names, items, strict=True))
        return dict.fromkeys(sorted(_ARRAY), inside)
    if _same_objects(names, value) and _same_objects(items, value.values()):
        return value
    return _with_items(value, zip(names, items, strict=True))


def decoded(value: Any) -> Any:
    """The value that was encoded.

    Raises:
        CheckpointError: it holds an array that this code did not write.
    """
    if type(value) in _ATOMS:
        return value
    if isinstance(value, dict):
        if value.keys() == _ARRAY:
            inside = value["numpy.dtype"]
            if not isinstance(inside, dict):
                return _array(value)
            value = cast(dict[Any, Any], inside)
        for name, item in value.items():
            value[name] = decoded(item)
    elif type(value) in (list, tuple):
        items = [decoded(item) for item in value]
        return value if _same_objects(items, value) else type(value)(items)
    return value


def form(value: Any) -> Hashable:
    """Types and names of a state without its values: states of one form are loaded alike."""
    kind = type(value)
    if kind in _ATOMS:
        return kind
    if isinstance(value, Tensor):
        return kind, value.dtype, value.layout
    if isinstance(value, Mapping):
        return kind, tuple((name, type(name), form(item)) for name, item in value.items())
    return (kind, tuple(map(form, value))) if kind in _SEQUENCES else kind


def same(saved: Any, loaded: Any) -> bool:
    """Whether a value was loaded as it was saved: tensors by type and shape, as a hash covers their numbers."""
    if type(saved) in _ATOMS and type(saved) is type(loaded) and saved == loaded:
        return True
    if isinstance(saved, Tensor):
        forms = [(x.dtype, x.shape, x.layout) for x in (saved, loaded) if isinstance(x, Tensor)]
        return len(forms) == 2 and forms[0] == forms[1]
    if type(saved) is not type(loaded):
        return False
    if isinstance(saved, Mapping):
        return list(saved) == list(loaded) and all(same(item, loaded[name]) for name, item in saved.items())
    if isinstance(saved, (list, tuple)):
        return len(saved) == len(loaded) and all(map(same, saved, loaded))
    return saved == loaded or (isinstance(saved, float) and math.isnan(saved) and math.isnan(loaded))


def without_numbers(value: Any) -> Any:
    """The same state with an empty tensor for each plain one: a small one that is loaded alike."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is Tensor and value.layout is torch.strided:
        return torch.empty(0, dtype=value.dtype)
    if kind in _MAPPINGS:
        return _with_items(value, ((name, without_numbers(item)) for name, item in value.items()))
    return kind(map(without_numbers, value)) if kind in (list, tuple) else value


def is_plain(value: Any) -> bool:
    """Whether all of a state is of the usual kinds, which can be loaded; False where only loading it tells."""
    kind = type(value)
    if kind in (dict, OrderedDict):
        names_are = all(type(name) is str or (type(name) is int and abs(name) < 2**63) for name in value)
        return names_are and all(map(is_plain, value.values())) and is_plain(getattr(value, "__dict__", None))
    if kind in (list, tuple):
        return all(map(is_plain, value))
    if kind is int:
        return abs(value) < 2**63
    return kind in _PLAIN or (kind is Tensor and value.layout is torch.strided and value.dtype in _NUMBERS)


def culprit(value: Any, loads: Callable[[Any], bool], path: str) -> StateError:
    """An error that names the innermost part that cannot be loaded again.

    Args:
        value: a state that cannot.
        loads: whether a part can.
        path: the name of the value; its parts are named with dots.
    """
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    for name, part in parts:
        if not loads(part):
            return culprit(part, loads, f"{path}.{name}" if path else str(name))
    shown, kind = shorten(repr(value), 200, placeholder=" …"), type(value).__name__
    return StateError(
        f"{path or 'the state'} is no state that can be loaded again: {shown} is a {kind}; let state_dict() or "
        "get_extra_state() give tensors, numbers, text, numpy arrays, and dicts, lists and tuples of these"
    )


def _with_items(mapping: dict[Any, Any], items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """The same kind of mapping, with the attributes that torch gives to its own."""
    changed = copy.copy(mapping)
    changed.clear()
    for name, item in items:  # a Counter's own update would count
        changed[name] = item
    return changed


def _same_objects(some: Any, others: Any) -> bool:
    return all(one is other for one, other in zip(some, others, strict=True))


def _bytes_of(array: np.ndarray) -> Any:
    """An array as names, numbers and a tensor of bytes; one of objects, or with named fields, as it is."""
    if array.dtype.hasobject or np.dtype(array.dtype.str) != array.dtype:
        return array
    content = torch.from_numpy(np.array(array, order="C").reshape(-1).view(np.uint8))
    return {"numpy.dtype": array.dtype.str, "numpy.shape": list(array.shape), "numpy.bytes": content}


def _array(parts: Mapping[str, Any]) -> np.ndarray:
    try:
        kind, shape, content = np.dtype(str(parts["numpy.dtype"])), parts["numpy.shape"], parts["numpy.bytes"].numpy()
        if kind.hasobject or any(type(length) is not int or length < 0 for length in shape):
            raise TypeError(f"of {kind} and shape {shape}")  # bytes of objects would be taken for addresses
        return np.empty(shape, kind) if 0 in shape and not content.size else content.view(kind).reshape(shape)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"it holds an array that is none: {error}") from error
