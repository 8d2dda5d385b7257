"""The rows of a run as columns of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import UNSET, ConfigError
from lrsched.numbers import number, whole
from lrsched.records import read_metrics

Column = NDArray[np.float64] | NDArray[np.int64]


class Columns(Mapping[str, Column]):
    """Columns by name, all of one length: a place for each row, so that a mask of one column selects from another.

    ``step``, and whatever stands in every row as a whole number, is int64; else float64 with NaN where a row has no
    such value. ``series`` leaves those places out: what one plots.

    Args:
        rows: of ``metrics.jsonl``, in their order.

    >>> rows = Columns([{"step": 0, "train/loss": 2.5}, {"step": 6, "val/loss": 2.0}])
    >>> rows["train/loss"]
    array([2.5, nan])
    >>> rows.series("val/loss")
    (array([6]), array([2.]))
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = list(rows)
        self._names = list(dict.fromkeys(name for row in self._rows for name in row))
        self._made: dict[str, Column] = {}

    @classmethod
    def of(cls, path: Path) -> Columns:
        """The rows in a file of JSON lines; none if there is no such file yet.

        Args:
            path: of the file, ``metrics.jsonl``.

        Raises:
            CheckpointError: a line is no row of a run.
        """
        return cls(read_metrics(path) if path.exists() else ())

    def __getitem__(self, name: str) -> Column:
        if name not in self._names:
            raise KeyError(f"{name!r}: the rows hold {', '.join(self._names) or 'nothing yet'}")
        if name not in self._made:
            self._made[name] = self._column(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<{len(self._rows)} rows of {', '.join(self._names) or 'nothing yet'}>"

    def series(self, name: str) -> tuple[NDArray[np.int64], Column]:
        """The steps that have a value of this name, and the values: ``plt.plot(*run.rows.series("val/loss"))``.

        Args:
            name: of the column.

        Raises:
            KeyError: no row has such a value.
        """
        values = self[name]
        there = ~np.isnan(values)
        return self["step"][there].astype(np.int64), values[there]

    def frame(self) -> Any:
        """The rows as a data frame of pandas.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            rule = "needs pandas, which is not installed"
            remedy = "pip install pandas, or take the columns: dict(run.rows)"
            raise ConfigError("rows.frame()", UNSET, rule, remedy) from error
        return pandas.DataFrame(dict(self))

    def _column(self, name: str) -> Column:
        values = [row.get(name) for row in self._rows]
        if all(whole(value) is not None for value in values):
            return np.array(values, dtype=np.int64)
        known = map(number, values)
        return np.array([np.nan if value is None else value for value in known], dtype=np.float64)
