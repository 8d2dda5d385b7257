"""A data set of Hugging Face on disk, by the number of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from lrsched.errors import ConfigError, DataError, nearest


class HuggingFace(Dataset[dict[str, Any]]):
    """The rows of a data set that ``datasets`` saved with ``save_to_disk``, memory-mapped: ``{column: tensor}``.

    Args:
        path: of its folder, relative to the current one.
        columns: to take, in this order: the input first, then the target; empty: all of them.
        split: one of several, as ``train``, where the folder holds a ``DatasetDict``.

    Raises:
        ConfigError: no such split or column, one of text, or the package ``datasets`` is not installed.
        DataError: the folder cannot be read.
    """

    def __init__(self, path: str, columns: tuple[str, ...] = (), split: str | None = None) -> None:
        try:
            package: Any = import_module("datasets")  # slow to import
        except ImportError as error:
            remedy = "pip install 'hydra-lrsched[hf]'"
            raise ConfigError("path", path, f"needs the package datasets: {error}", remedy) from error
        if not Path(path).is_dir():
            raise ConfigError("path", path, "is no folder", "save one with datasets: DATASET.save_to_disk(path)")
        try:
            found: Any = package.load_from_disk(path)
        except Exception as error:
            raise DataError(f"{path}: datasets cannot read it: {type(error).__name__}: {error}") from error
        if isinstance(found, package.DatasetDict):
            if split not in found:
                raise ConfigError("split", split, f"must be one of {', '.join(found)}")
            found = found[split]
        elif split is not None:
            raise ConfigError("split", split, f"is none: {path} holds one data set", "leave it out")
        for number, name in enumerate(columns):
            if name not in found.column_names:
                raise ConfigError(f"columns[{number}]", name, "is no column", nearest(name, found.column_names))
        self._columns = tuple(columns) or tuple(found.column_names)
        for name in self._columns:
            if getattr(found.features[name], "dtype", "") in ("string", "large_string"):
                numbers = [other for other in self._columns if getattr(found.features[other], "dtype", "") != "string"]
                rule = f"the column {name} holds text, and a model takes numbers"
                raise ConfigError("columns", list(self._columns), rule, f"tokenise it by map(), and take {numbers}")
        self._rows = found.with_format("torch", columns=list(self._columns))

    @property
    def features(self) -> Mapping[str, Any]:
        """The types of the columns that are taken; one of labels knows the number of its classes."""
        return {name: self._rows.features[name] for name in self._columns}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = self._rows[number]
        return {name: row[name] for name in self._columns}
