"""Read the diabetes data that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lrsched.data.data import Data
from lrsched.data.packaged import packaged, table
from lrsched.data.source import Source

SAMPLES, FEATURES = 442, 10


@dataclass(frozen=True, kw_only=True)
class Diabetes(Source):
    """442 patients, ten numbers each; predict how far diabetes has gone on a year later, 25 to 346 points.

    The numbers are age (years), sex (1 or 2), body mass index, mean blood pressure, and six of blood serum: total
    cholesterol, LDL, HDL, total cholesterol over HDL, log of triglycerides, glucose. These are the raw values;
    scikit-learn's own are scaled by all samples, those of the test part too. Here the training part standardises.

    A linear model is hard to beat: most of the error is noise. Has no test part.

    Raises:
        DataError: scikit-learn is not installed, or its files are damaged.

    References:
        Efron, Hastie, Johnstone, Tibshirani, Least angle regression, 2004, https://doi.org/10.1214/009053604000000067
    """

    def load(self) -> Data:
        """x float32 [442, 10], y float32 [442], in the file's order."""
        x = table(packaged("data/diabetes_data_raw.csv.gz", "the diabetes data come"), (SAMPLES, FEATURES), "diabetes")
        y = table(packaged("data/diabetes_target.csv.gz", "the diabetes data come"), (SAMPLES,), "diabetes")
        columns = tuple(torch.from_numpy(each.astype(np.float32)) for each in (x, y))
        return Data(columns, facts={"unit": "points"}, standardise=True)
