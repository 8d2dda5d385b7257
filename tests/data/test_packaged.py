"""The data that come with scikit-learn: read right, without importing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes

from lrsched.data import Cancer, Diabetes
from lrsched.data.batch import column
from lrsched.data.packaged import table
from lrsched.errors import DataError


def test_diabetes_is_what_scikit_learn_loads() -> None:
    theirs: Any = load_diabetes(scaled=False)
    data = Diabetes().load()
    assert torch.equal(column(data.train, 0), torch.tensor(theirs.data, dtype=torch.float32))
    assert torch.equal(column(data.train, 1), torch.tensor(theirs.target, dtype=torch.float32))
    assert data.standardise
    assert data.facts["features"] == 10


def test_cancer_is_what_scikit_learn_loads() -> None:
    theirs: Any = load_breast_cancer()
    data = Cancer().load()
    assert torch.equal(column(data.train, 0), torch.tensor(theirs.data, dtype=torch.float32))
    assert column(data.train, 1).tolist() == theirs.target.tolist()
    assert column(data.train, 1).bincount().tolist() == [212, 357]
    assert data.strata is not None


def test_a_damaged_file_is_one_message(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    with pytest.raises(DataError, match="cannot be read as x"):
        table(file, (1,), "x")
    file.write_text("1 2\n")
    with pytest.raises(DataError, match=r"holds \(2,\) numbers, not \(3,\); reinstall scikit-learn"):
        table(file, (3,), "x")
