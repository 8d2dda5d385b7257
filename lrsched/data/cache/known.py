"""What a cache is known by: the hash of all that its samples are made from."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor

from lrsched.data.cache.cache import FORMAT
from lrsched.data.stream.fetch import Fetch, Part
from lrsched.data.stream.identify import identity, pieces

PLAIN = (str, int, float, bool, bytes, type(None), complex)
CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)
LOOKED_THROUGH = 100
"""Entries of a list up to which a text in it is looked at as a path."""


def known_by(part: Part, arguments: Any, apart: Path) -> str:
    """The SHA-256 of a data set's length and class, its module's source, what it holds, its arguments, the names, sizes
    and times of the files below a path among them, and of the content of the items that are looked at in each run.

    Args:
        part: the whole data set.
        arguments: that it was made with.
        apart: a folder that is none of its files: that of the caches.

    Raises:
        DataError: an item cannot be made.
    """
    state = _State(apart)
    state.add(f"{FORMAT} {part.name} {len(part)}")
    state.add(arguments)
    state.add(part.items)
    state.add(identity([Fetch(part, None, 0)], {}))
    return state.digest.hexdigest()


class _State:
    """A hash of objects by what they hold, the same in each process."""

    def __init__(self, apart: Path) -> None:
        self.digest = hashlib.sha256()
        self._not = {os.path.realpath(apart), os.path.realpath("outputs")}
        self._seen: dict[int, Any] = {}  # and kept: another object could get the same address
        self._told = set[str]()

    def add(self, value: Any, *, path: bool = False) -> None:
        """Add a value; ``path``: it may be one."""
        if isinstance(value, PLAIN):
            self._say(f"{type(value).__name__} {value!r}")
            if path and isinstance(value, str):
                self._files(value)
        elif isinstance(value, Path):
            self.add(str(value), path=True)
        elif isinstance(value, Tensor) or (isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc"):
            for piece in pieces(value):
                self.digest.update(piece)
        elif id(value) in self._seen:
            self._say("again")
        else:
            self._seen[id(value)] = value
            self._within(value)

    def _within(self, value: Any) -> None:
        if isinstance(value, Mapping):
            named = cast("Mapping[Any, Any]", value)
            self._say(f"{type(value).__name__} of {len(named)}")
            for name, part in named.items():
                self.add(name)
                self.add(part, path=True)
        elif isinstance(value, (list, tuple)):
            listed = cast("list[Any]", value)
            self._say(f"{type(value).__name__} of {len(listed)}")
            for part in listed:
                self.add(part, path=len(listed) <= LOOKED_THROUGH)
        elif isinstance(value, (set, frozenset)):
            self._say(f"set {sorted(map(repr, cast('set[Any]', value)))}")
        elif isinstance(value, functools.partial):
            called = cast("functools.partial[Any]", value)
            self.add((called.func, called.args, called.keywords))
        elif isinstance(value, CODE):
            self._source(value)
        else:
            self._object(value)

    def _object(self, value: Any) -> None:
        self._source(type(value))
        held = dict(getattr(value, "__dict__", {}))
        for each in type(value).__mro__:
            slots = vars(each).get("__slots__", ())
            names = (slots,) if isinstance(slots, str) else slots
            held |= {name: getattr(value, name) for name in names if hasattr(value, name) and name[:2] != "__"}
        for name, part in sorted(held.items()):
            self._say(name)
            self.add(part, path=True)

    def _source(self, value: Any) -> None:
        """A class or a function: its name, and the source of the modules that define it."""
        for each in value.__mro__ if isinstance(value, type) else (value,):
            self._say(f"{getattr(each, '__module__', '')}.{getattr(each, '__qualname__', '')}")
            for content in _text(each):
                self.digest.update(hashlib.sha256(content).digest())
        self.add(_bound(value))

    def _files(self, path: str) -> None:
        if path in self._told or not path or "\0" in path or len(path) > 4096:
            return
        self._told.add(path)
        for line in _below(os.path.expanduser(path), self._not):
            self._say(line)

    def _say(self, text: str) -> None:
        self.digest.update(text.encode(errors="surrogateescape"))
        self.digest.update(b"\0")


def _bound(value: Any) -> list[Any]:
    """What a function or a method works with beside its code: defaults, what is around it, and the object it is of."""
    if isinstance(value, types.MethodType):
        return [value.__self__, *_bound(value.__func__)]
    if not isinstance(value, types.FunctionType):
        return []
    around = list[Any]()
    for cell in value.__closure__ or ():
        with suppress(ValueError):  # empty
            around.append(cell.cell_contents)
    return [value.__defaults__, value.__kwdefaults__, around]


def _text(value: Any) -> Iterator[bytes]:
    """The file that defines a class or function; of what was typed, as in a notebook, the code alone."""
    try:
        yield Path(inspect.getfile(value)).read_bytes()
    except (TypeError, OSError):
        code = getattr(value, "__code__", None)
        methods = [getattr(part, "__code__", None) for part in vars(value).values()] if isinstance(value, type) else []
        for each in (code, *methods):
            if each is not None:
                yield each.co_code + repr([item for item in each.co_consts if isinstance(item, PLAIN)]).encode()


def _below(path: str, apart: set[str]) -> Iterator[str]:
    """Names, sizes and times of change of a file, or of the files below a folder; hidden ones apart."""
    if os.path.isfile(path):
        told = os.stat(path)
        yield f"file {told.st_size} {told.st_mtime_ns}"
        return
    seen = set[tuple[int, int]]()
    for folder, folders, files in os.walk(path, followlinks=True):
        here = os.stat(folder)
        kept = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        again = (here.st_dev, here.st_ino) in seen  # a link that leads back
        folders[:] = [] if again else [name for name in kept if os.path.realpath(f"{folder}/{name}") not in apart]
        seen.add((here.st_dev, here.st_ino))
        for name in sorted(files):
            try:
                told = os.stat(f"{folder}/{name}")
            except OSError:  # a link to nothing
                continue
            yield f"{os.path.relpath(folder, path)}/{name} {told.st_size} {told.st_mtime_ns}"
