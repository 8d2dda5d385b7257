"""Values from a file."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lrsched.errors import ConfigError, nearest
from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import flag, require
from lrsched.schedules.phases import Curve, Part, clip, floored, hold

Columns = tuple[tuple[str, tuple[float, ...]], ...]
CLOCKS = ("step", "epoch")


@dataclass(frozen=True, kw_only=True)
class Table(Schedule):
    """v(t) = row t of a file, the value of step t after the warm-up: any curve, from anywhere.

    The file is a CSV with a header, or an NPZ of arrays of equal length. It is read once, when the
    schedule is built. Columns ``step`` and ``epoch`` are clocks, and not values: ``step`` must count
    0, 1, 2, …, so that a preview's CSV can be played back (``column: lr/default``). Each other column is
    a value of the group (``momentum``, ``weight_decay``), set as it is.

    A file longer than the run is cut off. Of a shorter one ``past`` says what comes after its last
    row: that row's value (``hold``), or the run is refused (``raise``).

    Args:
        path: the file, ``.csv`` or ``.npz``.
        column: the column of the rate.
        absolute: the rate's column holds learning rates, not multiples of the base value. They are met
            to the last bit but one: a schedule is planned in multiples.
        final: no value of the rate is below it.

    Raises:
        ConfigError: there is no such file or column, or a value is not a finite number of at least 0.

    References:
        NumPy, ``savez``, https://numpy.org/doc/stable/reference/generated/numpy.savez.html

    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = [print(row, file=file, flush=True) for row in ("lr", 1.0, 0.25)]
    ...     Table(path=file.name).plan(Horizon(steps=3)).table().tolist()
    [1.0, 0.25, 0.25]
    """

    path: str
    column: str = "lr"
    absolute: bool = False
    held: Columns = field(init=False, repr=False, default=())

    def check(self) -> None:
        flag("absolute", self.absolute)
        columns = read(self.path)
        if self.column not in columns:
            raise ConfigError("column", self.column, f"is not a column of {self.path}", nearest(self.column, columns))
        step = columns.get("step")
        counts = step is None or step == tuple(range(len(step)))
        require(counts, "path", self.path, "its column step must count 0, 1, 2, …", "give a row for every step")
        for name, values in columns.items():
            good = bool(np.isfinite(values).all()) and min(values) >= 0
            require(good, "path", self.path, f"column {name} must hold finite numbers of at least 0")
        object.__setattr__(self, "held", tuple(columns.items()))

    def phases(self, steps: int, horizon: Horizon, peak: float) -> Sequence[Part]:
        values = np.array(dict(self.held)[self.column])
        if self.absolute:
            values = values / peak if peak else np.zeros_like(values)
        return [floored(part, self._floor(peak)) for part in self._over(steps, values)]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        known = (self.column, *CLOCKS)
        return {name: self._over(steps, np.array(values)) for name, values in self.held if name not in known}

    def _over(self, steps: int, values: np.ndarray) -> list[Part]:
        """The values over a run of ``steps`` steps: cut off, or held after their end."""
        missing = steps - len(values)
        rule = f"{self.path} has {len(values)} rows for {steps} steps"
        require(missing <= 0 or self.past != "raise", "past", self.past, rule, "give it more rows, or past=hold")
        table = Curve(len(values), lambda i: values[i], "table")
        return clip([table, hold(max(0, missing), float(values[-1]), "held")], steps)


def read(path: str) -> dict[str, tuple[float, ...]]:
    """The columns of a CSV or NPZ file."""
    kind = Path(path).suffix
    require(kind in (".csv", ".npz"), "path", path, "must be a .csv or .npz file")
    try:
        columns = _read_npz(path) if kind == ".npz" else _read_csv(path)
    except OSError as error:
        raise ConfigError("path", path, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, csv.Error, zipfile.BadZipFile) as error:
        raise ConfigError("path", path, f"holds no columns of numbers: {error}") from error
    lengths = {len(values) for values in columns.values()}
    require(
        len(lengths) == 1 and lengths != {0}, "path", path, "must hold columns of equal length, of at least one row"
    )
    return columns


def _read_csv(path: str) -> dict[str, tuple[float, ...]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        raise ValueError("it is empty")
    names = [name.strip() for name in rows[0]]
    if len(set(names)) != len(names):
        raise ValueError("two columns have the same name")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise ValueError(f"row {number} has {len(row)} cells, the header {len(names)}")
    return {name: tuple(float(row[j]) for row in rows[1:]) for j, name in enumerate(names)}


def _read_npz(path: str) -> dict[str, tuple[float, ...]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: tuple(np.asarray(arrays[name], dtype=np.float64).ravel().tolist()) for name in arrays.files}
