"""Read arrays of one's own from a NumPy file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lrsched.data.counts import Counted
from lrsched.data.files import find_file, unreadable
from lrsched.data.source import Source
from lrsched.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from lrsched.data.data import Data
    from lrsched.data.images import Images


@dataclass(frozen=True, kw_only=True)
class Npz(Source):
    """Arrays of any shape, samples first, in a file of ``numpy.savez``. Nothing in it is unpickled.

    Inputs that are floats become float32; whole numbers become int64, but uint8 stays. Targets that are floats become
    float32, whole numbers and truth values int64: one whole number a sample is a class, and each part holds classes
    alike. Inputs uint8 [N, C, H, W] with such labels are :class:`Images`, standardised by channel. Whole numbers
    without a target are tokens: the facts ``vocabulary`` and, for [N, context + 1], ``context`` are found.

    Args:
        path: of the file, relative to the current folder.
        x, y: names of the arrays of inputs and targets; ``y: null``: there are no targets.
        weight: name of the array [N] of what each sample weighs in losses, or null.
        test_x, test_y, test_weight: the test part, or null: one is held out.
        group: name of an array [N] of whole numbers: samples of one number stay in one part; or null.
        standardise: bring each input to mean 0 and standard deviation 1 over the training part; whole numbers
            without a target stay as they are.

    Raises:
        ConfigError: the file has no array of such a name.
        DataError: the file is missing or damaged, or its arrays cannot be used.
    """

    path: str
    x: str = "x"
    y: str | None = "y"
    weight: str | None = None
    test_x: str | None = None
    test_y: str | None = None
    test_weight: str | None = None
    group: str | None = None
    standardise: bool = True

    def __post_init__(self) -> None:
        for name in ("y", "weight"):
            if self.test_x is not None and (getattr(self, name) is None) != (getattr(self, f"test_{name}") is None):
                rule = f"goes with dataset.{name}: both parts have one, or none has"
                raise ConfigError(f"test_{name}", getattr(self, f"test_{name}"), rule)
            if self.test_x is None and getattr(self, f"test_{name}") is not None:
                raise ConfigError(f"test_{name}", getattr(self, f"test_{name}"), "wants dataset.test_x beside it")
        if self.y is None and self.weight is not None:
            raise ConfigError("weight", self.weight, "weighs losses of targets, and dataset.y=null says there is none")

    def count(self) -> Counted | None:
        """The samples as the heads of the arrays tell; None: the split minds groups, and the data alone tell it."""
        shapes = _read(find_file("path", self.path), self._wanted, _shape)
        parts = [
            {shape[:1] for key, shape in shapes.items() if key.startswith("test_") == test and shape is not None}
            for test in (False, True)
        ]
        if None in shapes.values() or any(len(part) > 1 or part & {(), (0,)} for part in parts):
            self.load()  # says what is wrong
            return None
        ((train,),) = parts[0]
        return None if self.group is not None else Counted(train, self.test_x is not None)

    def load(self) -> Data:
        """Images where the arrays are such, or else Data."""
        from lrsched.data.as_data import as_input, as_target, as_weight  # import torch

        make = {"x": as_input, "weight": as_weight, "test_x": as_input, "test_weight": as_weight}
        file = find_file("path", self.path)
        arrays = _read(file, self._wanted, _array)
        try:
            return self._data({key: make.get(key, as_target)(key, array) for key, array in arrays.items()})
        except DataError as error:
            raise DataError(f"{file}: {error}") from error

    @property
    def _wanted(self) -> dict[str, str]:
        """The names of the arrays in the file, by key."""
        return {key: name for key in KEYS if (name := getattr(self, key)) is not None}

    def _data(self, given: dict[str, Tensor]) -> Data:
        import torch

        from lrsched.data.as_data import labels_of
        from lrsched.data.data import Data, is_whole

        group = given.pop("group", None)
        train = tuple(given[key] for key in ("x", "y", "weight") if key in given)
        test = tuple(given[key] for key in ("test_x", "test_y", "test_weight") if key in given) or None
        x, labels = train[0], labels_of(train)
        if x.dtype == torch.uint8 and x.ndim == 4 and labels is not None and len(train) == 2 and group is None:
            return self._images(train, test)
        tokens = is_whole(x) and self.y is None
        return Data(
            train,
            test,
            _token_facts(train, test) if tokens else {},
            strata=labels,
            groups=group,
            standardise=self.standardise and not tokens,
        )

    def _images(self, train: tuple[Tensor, ...], test: tuple[Tensor, ...] | None) -> Images:
        from lrsched.data.images import Images

        (x, y), shape = train, train[0].shape
        if shape[1] > 4 and shape[3] <= 4:
            raise DataError(f"x: images are [N, C, H, W], and these are {list(shape)}; give x.transpose(0, 3, 1, 2)")
        if not self.standardise:
            raise ConfigError("standardise", False, "images are standardised by channel", "give x as floats to keep it")
        both = [y] if test is None else [y, test[1]]
        if not all(len(labels) for labels in both):
            raise DataError("y: holds no label")
        classes = max(2, *(int(labels.max()) + 1 for labels in both))
        tested = (None, None) if test is None else (test[0], test[1])
        return Images(x, y, *tested, classes)


KEYS = ("x", "y", "weight", "test_x", "test_y", "test_weight", "group")
"""What names an array."""


def _read(file: Path, wanted: dict[str, str], what: Callable[[Path, Any, str], Any]) -> dict[str, Any]:
    """What is wanted of each array, by key."""
    try:
        with file.open("rb") as stream:
            opened = np.load(stream, allow_pickle=False)
            if not isinstance(opened, np.lib.npyio.NpzFile):
                raise DataError(f"{file}: holds one array without a name; write it by numpy.savez(file, x=…, y=…)")
            for key, name in wanted.items():
                if name not in opened.files:
                    raise ConfigError(key, name, f"{file} has no such array", nearest(name, opened.files))
            return {key: what(file, opened, name) for key, name in wanted.items()}
    except ConfigError:  # is a ValueError too
        raise
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: is not a whole file of numpy.savez ({_said(error)})") from error


def _shape(file: Path, opened: Any, name: str) -> tuple[int, ...] | None:
    """The shape that the head of an array says; None: it is no usual one, of numbers."""
    try:
        with opened.zip.open(f"{name}.npy") as stream:
            version = np.lib.format.read_magic(stream)
            heads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, _, kind = heads[version](stream)
    except (ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile):
        return None
    return None if kind.kind not in "biuf" else shape


def _array(file: Path, opened: Any, name: str) -> Any:
    try:
        return cast("Any", opened[name])
    except (ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{file}: the array {name!r} holds Python objects, which would be unpickled: a pickle can run any "
                "program; save numbers"
            ) from error
        raise DataError(f"{file}: the array {name!r} cannot be read ({_said(error)}); is the file whole?") from error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _token_facts(train: tuple[Tensor, ...], test: tuple[Tensor, ...] | None) -> dict[str, Any]:
    """How many tokens there are, and how many of them a sample has before its last one."""
    parts = [part[0] for part in (train, test) if part is not None and part[0].numel()]
    if not parts:
        return {}
    if min(int(part.min()) for part in parts) < 0:
        raise DataError("x: whole numbers without a target are tokens, counted from 0, and some are below 0")
    facts: dict[str, Any] = {"vocabulary": max(int(part.max()) for part in parts) + 1}
    x = train[0]
    return {**facts, "context": x.shape[1] - 1} if x.ndim == 2 and x.shape[1] > 1 else facts
