"""Read the Wisconsin breast cancer data that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lrsched.data.data import Data
from lrsched.data.packaged import packaged, table
from lrsched.data.source import Source

SAMPLES, FEATURES = 569, 30


@dataclass(frozen=True, kw_only=True)
class Cancer(Source):
    """569 tumours of the breast, thirty numbers each, standardised, that are benign (1, 357 of them) or malignant (0).

    The numbers are the mean, the standard error and the worst value, over the cell nuclei in a picture, of ten
    measures: radius, texture, perimeter, area, smoothness, compactness, concavity, concave points, symmetry, fractal
    dimension. Each part holds both labels alike. Has no test part.

    Raises:
        DataError: scikit-learn is not installed, or its file is damaged.

    References:
        Wolberg, Mangasarian, Street, Street, Breast Cancer Wisconsin (Diagnostic), UCI 1995,
        https://doi.org/10.24432/C5DW2B
    """

    def load(self) -> Data:
        """x float32 [569, 30], y int64 [569], in the file's order."""
        file = packaged("data/breast_cancer.csv", "the breast cancer data come")
        found = table(file, (SAMPLES, FEATURES + 1), "breast cancer", delimiter=",", header=1)
        x, y = torch.from_numpy(found[:, :-1].astype(np.float32)), torch.from_numpy(found[:, -1].astype(np.int64))
        return Data((x, y), strata=y, standardise=True)
