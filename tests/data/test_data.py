"""Data of any form: what is checked, which facts are found, and what is made of arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from lrsched.data import Digits, statistics
from lrsched.data.as_data import as_data
from lrsched.data.data import Data, check_finite
from lrsched.data.digest import sha256
from lrsched.data.split import split
from lrsched.errors import DataError

CPU = torch.device("cpu")
NAN, INF = math.nan, math.inf
X, Y = torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("train", "facts"),
    [
        ((X, Y), {"input_shape": (3,), "features": 3, "targets": 1, "classes": 2}),
        ((X, X), {"input_shape": (3,), "features": 3, "targets": 3}),
        ((X[:, 0], Y + 3), {"input_shape": (), "features": 1, "targets": 1, "classes": 5}),
        ((torch.zeros(4, 3, 2, 5), Y.float()), {"input_shape": (3, 2, 5), "features": 30, "targets": 1}),
        ((Y[:, None],), {"input_shape": (1,), "features": 1}),
        ({"y": Y, "x": X}, {"input_shape": (3,), "features": 3, "targets": 1, "classes": 2}),
        ({"tokens": X, "labels": Y}, {"input_shape": (3,), "features": 3, "targets": 1, "classes": 2}),
        ({"x": X, "weight": torch.ones(4)}, {"input_shape": (3,), "features": 3}),
    ],
)
def test_facts_are_found(train: Any, facts: dict[str, Any]) -> None:
    assert dict(Data(train).facts) == facts


def test_facts_that_are_given_go_before() -> None:
    facts = Data((X, Y), facts={"classes": 7, "unit": "m"}).facts
    assert (facts["classes"], facts["unit"], facts["features"]) == (7, "m", 3)


def test_classes_of_the_test_part_count() -> None:
    assert Data((X, Y), (X, Y + 5)).facts["classes"] == 7
    assert Data({"a": X, "b": Y}, {"a": X, "b": Y + 5}).facts["classes"] == 7


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ((), None, r"^train: has no columns; give it the input and the target"),
        (X, None, r"^train: must be a tuple or a mapping of tensors, samples first, not a Tensor"),
        ([X, Y], None, r"^train: must be a tuple or a mapping of tensors, samples first, not a list"),
        ((X.numpy(), Y), None, r"^train x: must be a torch.Tensor, not a ndarray"),
        ((X, torch.tensor(1)), None, r"^train y: must have samples in its first dimension, and is a single number"),
        ((X, Y[:3]), None, r"^train: the columns differ in their number of samples: 4 of x, 3 of y"),
        ((X[:0], Y[:0]), None, r"^train x: holds no number: float32 \[0, 3\]"),
        ((X[:, :0], Y), None, r"^train x: holds no number: float32 \[4, 0\]"),
        ((X, Y), (X, Y, Y), r"^train has the columns x, y, and test x, y, weight; they must be the same"),
        ((X, Y), (X[:, :2], Y), r"^x: float32 \[4, 3\] in train and float32 \[4, 2\] in test; a sample must have one"),
        ((X, Y), (X, Y.int()), r"^y: int64 \[4\] in train and int32 \[4\] in test"),
        ((X, Y), (X[:0], Y[:0]), r"^test x: holds no number"),
        ((torch.tensor([1.0, INF, NAN]), Y[:3]), None, r"^train x: sample 1 \(from 0\) holds inf; every value"),
        ((X, torch.tensor([0.0, 0, 0, NAN])), None, r"^train y: sample 3 \(from 0\) holds nan; every value"),
        ({"x": X, "mask": X * NAN}, None, r"^train mask: sample 0 \(from 0\) holds nan"),
    ],
)
def test_what_is_wrong_is_named(train: Any, test: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Data(train, test)


@pytest.mark.parametrize("numbers", [torch.zeros(3, dtype=torch.int64), torch.zeros(4), torch.zeros(4, 1).long()])
@pytest.mark.parametrize("name", ["strata", "groups"])
def test_strata_and_groups_are_one_whole_number_a_sample(name: str, numbers: torch.Tensor) -> None:
    given: dict[str, Any] = {name: numbers}
    with pytest.raises(DataError, match=rf"^{name}: must be whole numbers \[4\], one a sample"):
        Data((X, Y), **given)


def test_the_first_wrong_sample_is_found_in_any_part_of_a_large_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrsched.data.data.MOST", 10)  # three samples at once
    x = torch.zeros(20, 3)
    check_finite("x", x)
    x[7, 2], x[8, 0] = -INF, NAN
    with pytest.raises(DataError, match=r"^x: sample 7 \(from 0\) holds -inf"):
        check_finite("x", x)
    with pytest.raises(DataError, match=r"^x: sample 7 \(from 0\) holds -inf"):
        check_finite("x", x, missing=True)
    x[7, 2] = NAN
    check_finite("x", x, missing=True)


def test_statistics_by_hand_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.tensor([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [6.0, 7.0]])  # mean 3, variance (4 + 1 + 0 + 9)/4
    for most in (1 << 26, 1):
        monkeypatch.setattr(statistics, "MOST", most)
        mean, std = statistics.statistics(x)
        assert mean.tolist() == [[3.0, 7.0]]
        assert std.tolist() == [[math.sqrt(3.5), 1.0]]
    assert [each.shape for each in statistics.statistics(torch.zeros(4))] == [(1,), (1,)]
    assert [each.shape for each in statistics.statistics(torch.zeros(4, 2, 3))] == [(1, 2, 3), (1, 2, 3)]


@pytest.mark.parametrize(("fill", "number"), [("mean", 4.0), ("median", 2.5), (0.0, 0.0), (-1, -1.0)])
def test_what_is_missing_is_filled_by_the_training_part(fill: Any, number: float) -> None:
    """1, 2, 3, 10: mean 4, median 2.5; standardised with the filled ones."""
    x = torch.tensor([[1.0], [2.0], [NAN], [3.0], [10.0]])
    change = Data((x, Y[[0, 1, 1, 0, 0]]), fill=fill).transform((x,), CPU)
    assert change((torch.tensor([[NAN], [5.0]]),))[0].tolist() == [[number], [5.0]]
    change = Data((x,), fill=fill, standardise=True).transform((x,), CPU)
    whole = torch.tensor([[1.0], [2.0], [number], [3.0], [10.0]], dtype=torch.float64)
    mean, std = whole.mean(), whole.std(correction=0)
    got = change((torch.tensor([[NAN], [5.0]]),))[0]
    assert torch.allclose(got.double(), (torch.tensor([[number], [5.0]]).double() - mean) / std, rtol=1e-6, atol=1e-6)


def test_held_out_samples_do_not_fill() -> None:
    x = torch.arange(40.0)[:, None]
    x[::4] = NAN
    parts = split(Data((x, torch.arange(40.0)), order="last", fill="mean"), validation=0.25, test=0.2, seed=0)
    filled = parts.transform(CPU)(parts.test)[0]
    assert len(parts.train[0]) == 24
    assert filled[parts.test[0].isnan()].unique().tolist() == [float(np.nanmean(x[:24].numpy()))]


def test_a_column_that_the_training_part_lacks_is_named() -> None:
    x = torch.tensor([[1.0, NAN], [2.0, NAN]])
    with pytest.raises(DataError, match=r"^train: input 1 \(from 0\) is missing in every sample"):
        Data((x,), fill="mean").transform((x,), CPU)
    with pytest.raises(DataError, match=r"^train: column 'rooms' is missing .* so it has no median"):
        Data((x,), facts={"feature_names": ("age", "rooms")}, fill="median").transform((x,), CPU)
    assert Data((x,), fill=3).transform((x,), CPU)((x,))[0].tolist() == [[1, 3], [2, 3]]


def test_only_an_input_may_be_missing() -> None:
    with pytest.raises(DataError, match=r"^train y: sample 0 \(from 0\) holds nan"):
        Data((X, X * NAN), fill="mean")


def test_targets_tell_mean_and_deviation_of_the_training_part() -> None:
    y = torch.tensor([1.0, 2.0, 3.0, 6.0])
    facts = Data((X, y), standardise=True).facts_of((X, y))
    assert (facts["target_mean"], facts["target_std"]) == (3.0, math.sqrt(3.5))
    facts = Data((X, torch.stack([y, y * 0], 1)), standardise=True).facts_of((X, torch.stack([y, y * 0], 1)))
    assert (facts["target_mean"], facts["target_std"]) == ((3.0, 0.0), (math.sqrt(3.5), 1.0))
    assert "target_mean" not in Data((X, y)).facts_of((X, y))
    assert "target_mean" not in Data((X, Y), standardise=True).facts_of((X, Y))


NUMPY = [
    (np.float64, torch.float32, torch.float32),
    (np.float16, torch.float32, torch.float32),
    (np.longdouble, torch.float32, torch.float32),
    (">f8", torch.float32, torch.float32),
    (np.uint8, torch.uint8, torch.int64),
    (np.int8, torch.int64, torch.int64),
    (np.uint16, torch.int64, torch.int64),
    (np.int32, torch.int64, torch.int64),
    (np.uint64, torch.int64, torch.int64),
    (np.bool_, torch.float32, torch.int64),
]


@pytest.mark.parametrize(("dtype", "x", "y"), NUMPY, ids=[str(np.dtype(each[0])) for each in NUMPY])
def test_arrays_become_tensors_of_few_types(dtype: Any, x: torch.dtype, y: torch.dtype) -> None:
    array = np.array([0, 1, 1, 0]).astype(dtype)
    data = as_data((np.stack([array, array], 1), array))
    got_x, got_y = data.train[0], data.train[1]
    assert (got_x.dtype, got_y.dtype) == (x, y)
    assert got_y.tolist() == [0, 1, 1, 0]
    assert got_x.tolist() == [[0, 0], [1, 1], [1, 1], [0, 0]]
    assert (data.strata is None) == y.is_floating_point


def test_other_things_become_data() -> None:
    data = Data((X, Y))
    assert as_data(data) is data
    assert as_data(Digits()).samples == 1797
    assert list(as_data({"x": X, "y": Y, "weight": [1, 2, 3, 4]}).train) == ["x", "y", "weight"]
    assert as_data((X, [1.5, 2, 3, 4], [1, 2, 3, 4])).train[2].dtype == torch.float32
    assert as_data(Y).train[0].tolist() == [0, 1, 1, 0]
    both = as_data(((X, Y), (X[:1], Y[:1])), standardise=True)
    assert both.test is not None
    assert (len(both.test[0]), both.standardise) == (1, True)


def test_arrays_that_are_read_only_or_backwards_are_taken() -> None:
    array = np.arange(4.0)
    array.flags.writeable = False
    assert as_data((array[::-1], array)).train[0].tolist() == [3, 2, 1, 0]


def test_a_parameter_is_taken_without_its_graph() -> None:
    assert not as_data((torch.nn.Parameter(X), Y)).train[0].requires_grad


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"^x: holds objects \(numpy object\), not numbers"),
        (([[1, 2], [3]], Y), r"^x: cannot be read as an array \(.*\); are its rows of one length"),
        ((np.array([{}] * 4), Y), r"^x: holds objects \(numpy object\), not numbers"),
        ((X, ["cat", "dog", "dog", "cat"]), r"^y: holds text \(numpy <U3\), not numbers"),
        ((np.array(["2020-01-01"] * 4, dtype="M8[D]"), Y), r"^x: holds dates"),
        ((np.zeros(4, dtype=complex), Y), r"^x: holds complex numbers"),
        ((X + 0j, Y), r"^x: holds complex numbers"),
        ((X.to_sparse(), Y), r"^x: is a sparse tensor; give it dense"),
        ((3.0, Y), r"^x: is a single number; samples lie in its first dimension"),
        ((X, Y[:3]), r"^train: the columns differ in their number of samples: 4 of x, 3 of y"),
        ((X, Y, [1, 1, -1, 1]), r"^weight: sample 2 \(from 0\) weighs -1.0; a weight is at least 0"),
        ((X, Y, [1, 1, NAN, 1]), r"^weight: sample 2 \(from 0\) weighs nan"),
        ((X, Y, [0, 0, 0, 0]), r"^weight: every sample weighs 0"),
        ((X, Y, X), r"^weight: must be one number a sample, not of shape \[4, 3\]"),
        ((np.full(4, 1e39), Y), r"^x: sample 0 \(from 0\) holds 1e\+39, beyond float32"),
        ((X, np.array([2**63] * 4, dtype=np.uint64)), r"^y: holds 9223372036854775808, and the largest"),
        ((X, Y, Y, Y), r"^data: a tuple is \(x,\), \(x, y\) or \(x, y, weight\), and this one has 4 entries"),
        ([X, Y], r"^data: must be a tuple, as \(x, y\), not a list"),
        ((), r"^data: a tuple is .* has 0 entries"),
        (((X, Y), (X,)), r"^train has the columns x, y, and test x"),
        (((X, Y), (X, "no")), r"^test y: holds text"),
        ((X * NAN, Y), r"^train x: sample 0 \(from 0\) holds nan"),
    ],
)
def test_what_cannot_be_data_is_refused(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_data(value)


def test_the_hash_is_of_values_whatever_their_layout() -> None:
    tokens = torch.arange(200_000, dtype=torch.uint8)
    windows = tokens.unfold(0, 3, 2)
    assert sha256(Data((windows,))) == sha256(Data((windows.contiguous(),)))
