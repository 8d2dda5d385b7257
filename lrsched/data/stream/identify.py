"""Tell a data set that is too large to be read by what it is, how long it is, and a few of its items."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lrsched.data.stream.fetch import Fetch
from lrsched.data.stream.keyed import Sparing, apart
from lrsched.errors import DataError
from lrsched.seeds import key

LOOKED_AT = 8
"""Items of each part that are hashed: the first, the last, and others spread by a key."""

PLACES = ("root", "path", "file", "folder", "dir", "directory")
"""How the names of arguments end that are paths; so is a text with a separator of folders in it."""


def identity(fetches: Iterable[Fetch], arguments: Mapping[str, Any]) -> str:
    """The SHA-256 of the parts that were given: class, length, and the content of up to 8 items of each; and of the
    arguments that they are made with.

    An argument that is a path counts as such alone: data may move. Each item is made twice
    by one key, and must be the same.

    Args:
        fetches: one for each data set that was given, whole.
        arguments: from the config.

    Raises:
        DataError: an item cannot be made, or is another one the second time.
    """
    digest = hashlib.sha256(repr(_known(arguments)).encode())
    sparing = Sparing()
    for fetch in fetches:
        kind, length = type(fetch.part.items), len(fetch.part.items)
        digest.update(f"{fetch.part.name} {kind.__module__}.{kind.__qualname__} {length}".encode())
        for number in looked_at(length):
            with apart():
                first, again = (_hash(item) for item in _twice(fetch, number, sparing))
            if first != again:
                rule = "is another one when it is made again from the same seeds: the run could not be resumed exactly"
                raise DataError(
                    f"dataset.{fetch.part.name}: sample {number} {rule}; let __getitem__ draw from random, np.random "
                    "and torch as they are, which are seeded for each sample, and from no generator of its own"
                )
            digest.update(first)
    return digest.hexdigest()


def _twice(fetch: Fetch, number: int, sparing: Sparing) -> Iterator[Any]:
    """An item, made two times by one key; with other states of the generators that it does not draw from."""
    for other in range(2):
        sparing.begin(fetch.seed(number, ()) ^ other)
        yield fetch.item(number, (), sparing)


def looked_at(length: int) -> list[int]:
    """The numbers of the items that are hashed.

    >>> looked_at(3), len(looked_at(10**9))
    ([0, 1, 2], 8)
    """
    if length <= LOOKED_AT:
        return list(range(length))
    spread = (key(0, "looked at", number) % length for number in range(LOOKED_AT - 2))
    return sorted({0, length - 1, *spread})


def _known(value: Any) -> Any:
    """Arguments as they are compared: names in order, and paths by their being given: data may be moved."""
    if isinstance(value, Mapping):
        named = cast("Mapping[Any, Any]", value)
        return [(str(name), _named(str(name), named[name])) for name in sorted(named, key=str)]
    if isinstance(value, (list, tuple)):
        return [_known(item) for item in cast("Iterable[Any]", value)]
    if isinstance(value, str) and os.sep in value:
        return "a path"
    return value if isinstance(value, (str, int, float, bool, type(None))) else type(value).__qualname__


def _named(name: str, value: Any) -> Any:
    return "a path" if isinstance(value, str) and name.endswith(PLACES) else _known(value)


def _hash(item: Any) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces(item):
        digest.update(piece)
    return digest.digest()


def pieces(item: Any) -> Iterable[bytes]:
    """An item as bytes: numbers, text, arrays, pictures, and what holds them; anything else by its class."""
    if isinstance(item, Tensor):
        item = item.detach().to_dense().cpu()
        item = (item.float() if item.dtype == torch.bfloat16 else item).numpy()
    elif not isinstance(item, (np.ndarray, np.generic)) and hasattr(item, "__array_interface__"):  # a picture of PIL
        item = np.asarray(item)
    if isinstance(item, Mapping):
        for name, part in cast("Mapping[Any, Any]", item).items():
            yield f"{name}:".encode()
            yield from pieces(part)
    elif isinstance(item, (list, tuple)):
        yield f"[{len(cast('list[Any]', item))}".encode()
        for part in cast("list[Any]", item):
            yield from pieces(part)
    elif isinstance(item, (np.ndarray, np.generic)) and item.dtype.kind in "biufc":
        array = np.asarray(item)
        yield f"{array.dtype.newbyteorder('<').str} {array.shape}".encode()
        yield array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    elif isinstance(item, bytes):
        yield item
    elif isinstance(item, (str, int, float, bool, type(None))):
        yield repr(item).encode()
    else:
        yield type(item).__qualname__.encode()
