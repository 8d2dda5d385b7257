"""Read files that come with scikit-learn, without importing it: that would take longer than training on them."""

from __future__ import annotations

import gzip
import io
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lrsched.errors import DataError


def packaged(name: str, what: str) -> Path:
    """A file in scikit-learn's folder ``datasets``.

    Args:
        name: of the file, as ``data/digits.csv.gz``.
        what: the data set in words, for the message.

    Raises:
        DataError: scikit-learn is not installed.
    """
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"{what} with scikit-learn, which is not installed; pip install scikit-learn")
    return Path(spec.submodule_search_locations[0], "datasets", *name.split("/"))


def table(
    file: Path, form: tuple[int, ...], what: str, *, delimiter: str | None = None, header: int = 0, dtype: Any = float
) -> np.ndarray[Any, Any]:
    """The numbers in a text file, packed by gzip if it is named so.

    Args:
        file: where they lie.
        form: the shape that they must have.
        what: the data set in a word, for messages.
        delimiter: between numbers; None: white space.
        header: lines to pass over.
        dtype: of the numbers.

    Raises:
        DataError: the file is missing, damaged, or of another shape.
    """
    try:
        raw = file.read_bytes()
        text = gzip.decompress(raw) if file.suffix == ".gz" else raw
        found = np.loadtxt(io.BytesIO(text), delimiter=delimiter, skiprows=header, dtype=dtype)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read as {what} ({error}); reinstall scikit-learn") from error
    if found.shape != form:
        raise DataError(f"{file}: holds {found.shape} numbers, not {form}; reinstall scikit-learn")
    return found
