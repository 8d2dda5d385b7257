"""The data that come with scikit-learn: read right, without importing it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_sample_image

from lrsched.data import Cancer, Diabetes, Picture, picture
from lrsched.data.batch import column
from lrsched.data.packaged import table
from lrsched.data.picture import coordinates
from lrsched.errors import ConfigError, DataError


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


@pytest.mark.parametrize("photograph", ["china", "flower"])
def test_a_picture_is_what_scikit_learn_loads(photograph: Any) -> None:
    theirs: Any = load_sample_image(f"{photograph}.jpg")
    data = Picture(photograph=photograph, reduce=1).load()
    pixels = column(data.train, 1)
    assert pixels.dtype == torch.float32
    assert torch.equal((pixels * 255).round().reshape(427, 640, 3), torch.tensor(theirs, dtype=torch.float32))
    assert dict(data.facts) == {
        "input_shape": (2,),
        "features": 2,
        "targets": 3,
        "range": 1.0,
        "grid": (427, 640),
    }


def test_a_smaller_picture_has_the_means_of_squares() -> None:
    whole = column(Picture(reduce=1).load().train, 1).reshape(427, 640, 3).double()
    data = Picture(reduce=50).load()
    assert data.facts["grid"] == (8, 12)
    wanted = [whole[50 * i : 50 * i + 50, 50 * j : 50 * j + 50].mean((0, 1)) for i in range(8) for j in range(12)]
    torch.testing.assert_close(column(data.train, 1).double(), torch.stack(wanted), rtol=0, atol=1e-7)


def test_pixels_lie_where_they_lie() -> None:
    """4 columns, 2 rows: the longer side from −1 to 1, centres of pixels ½ apart, downwards."""
    x, y = [-0.75, -0.25, 0.25, 0.75], [-0.25, 0.25]
    assert coordinates(2, 4).tolist() == [[each, row] for row in y for each in x]


def test_what_is_no_picture_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (0, 1.5, True):
        with pytest.raises(ConfigError, match=rf"^reduce={str(value).lower()}: must be a whole number of at least 1"):
            Picture(reduce=value)
    with pytest.raises(ConfigError, match=r"^reduce=300: leaves 1 x 2 pixels of 427 x 640; give a smaller number"):
        Picture(reduce=300).load()
    monkeypatch.setattr(picture, "packaged", lambda name, what: tmp_path / "china.jpg")
    with pytest.raises(DataError, match=r"china\.jpg: cannot be read as a photograph"):
        Picture().load()
    (tmp_path / "china.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"china\.jpg: cannot be read as a photograph .*; reinstall scikit-learn"):
        Picture().load()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match="read by Pillow, which is not installed; pip install pillow"):
        Picture().load()


def test_a_damaged_file_is_one_message(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    with pytest.raises(DataError, match="cannot be read as x"):
        table(file, (1,), "x")
    file.write_text("1 2\n")
    with pytest.raises(DataError, match=r"holds \(2,\) numbers, not \(3,\); reinstall scikit-learn"):
        table(file, (3,), "x")
