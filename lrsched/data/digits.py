"""Read the handwritten digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lrsched.data.arrays import Arrays, Source
from lrsched.data.packaged import packaged, table

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
        found = table(_file(), (SAMPLES, SIDE * SIDE + 1), "digits", delimiter=",", dtype=np.uint8)
        x = torch.from_numpy(found[:, :-1].copy()).view(SAMPLES, 1, SIDE, SIDE)
        y = torch.from_numpy(found[:, -1].astype(np.int64))
        return Arrays(x, y, None, None, classes=10)


def _file() -> Path:
    return packaged("data/digits.csv.gz", "the digits come")
