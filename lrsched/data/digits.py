"""Read the handwritten digits that come with scikit-learn."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from lrsched.data.arrays import Arrays, Source
from lrsched.errors import DataError

SAMPLES, SIDE = 1797, 8


@dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """1,797 grey images of 8x8 pixels with values 0…16, ten classes: a run takes seconds, offline.

    Reads the file in the scikit-learn package: importing scikit-learn would take longer than training. Has no test
    part.

    Raises:
        DataError: scikit-learn is not installed, or its file is damaged.

    References:
        Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, https://doi.org/10.24432/C50P49
    """

    def load(self) -> Arrays:
        """Images uint8 [1797, 1, 8, 8] in the file's order."""
        file = _file()
        try:
            table = np.loadtxt(io.BytesIO(gzip.decompress(file.read_bytes())), delimiter=",", dtype=np.uint8)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise DataError(f"{file}: cannot be read as digits ({error}); reinstall scikit-learn") from error
        form = (SAMPLES, SIDE * SIDE + 1)
        if table.shape != form:
            raise DataError(f"{file}: holds {table.shape} numbers, not {form}; reinstall scikit-learn")
        x = torch.from_numpy(table[:, :-1].copy()).view(SAMPLES, 1, SIDE, SIDE)
        y = torch.from_numpy(table[:, -1].astype(np.int64))
        return Arrays(x, y, None, None, classes=10)


def _file() -> Path:
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("the digits come with scikit-learn, which is not installed; pip install scikit-learn")
    return Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
