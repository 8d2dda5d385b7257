"""What tasks refuse: data, values and shapes; each in one message that names the sample and its value."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrsched.data.data import Data
from lrsched.errors import ConfigError, DataError
from lrsched.tasks.binary import Binary
from lrsched.tasks.classification import Classification
from lrsched.tasks.language_model import LanguageModel
from lrsched.tasks.regression import Regression
from lrsched.tasks.segmentation import Segmentation
from lrsched.tasks.task import Task

X = torch.zeros(3, 2)
MAPS = torch.zeros(3, 1, 2, 2)


def labels(*values: int, dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.tensor(values, dtype=dtype)


@pytest.mark.parametrize(
    ("task", "batch", "words"),
    [
        (Classification(), (X, torch.tensor([0.0, 1.0, 1.0])), r"train y: labels must be whole .* \[3\], not float32"),
        (Classification(), (X, labels(0, 1, 1)[:, None]), r"one for each sample: \[3\], not int64 \[3, 1\]"),
        (Classification(), (X, labels(0, -1, 1)), r"sample 1 \(from 0\) has the label -1; labels are 0 to 1"),
        (Classification(), (X, labels(2, 2, 2)), "all samples are of one class"),
        (
            Classification(),
            (X, torch.tensor([[0.5, 0.5], [1.5, -0.5], [1, 0]])),
            "sample 1 .* the target -0.5; the share",
        ),
        (
            Classification(),
            (X, torch.tensor([[0.5, 0.5], [1, 0], [1, 0.5]])),
            "sample 2 .* add up to 1.5, and must to 1",
        ),
        (Classification(), (X,), "train: has no target"),
        (Classification(), (X, labels(0, 1, 1), torch.tensor([1.0, -2.0, 1.0])), "weight: sample 1 .* weighs -2.0"),
        (Regression(), (X, torch.tensor([1 + 1j, 0, 2])), "targets must be real numbers, not complex64"),
        (Regression(), (X, torch.full((3,), 2.5)), "the target is 2.5 in every sample"),
        (Regression(), (X, torch.tensor([[1.0, 7], [2, 7], [3, 7]])), r"target 1 \(from 0\) is 7.0 in every sample"),
        (Regression(), (X,), "train: has no target"),
        (Regression(), {"x": X, "z": torch.ones(3)}, "train z: the target is 1.0"),
        (Binary(), (X, labels(0, 2, 1)), r"train y: sample 1 \(from 0\) has the target 2; targets are 0 .* and 1"),
        (Binary(), (X, torch.tensor([[0, 1.0], [0, 0], [0.5, 1]])), "sample 2 .* has the target 0.5"),
        (Binary(), (X, torch.ones(3, dtype=torch.bool)), "every target is 1; there is nothing to tell apart"),
        (Binary(), (X, torch.zeros(3, 2)), "every target is 0"),
        (LanguageModel(), (torch.zeros(3, 4),), r"train x: tokens must be whole numbers \[samples, context \+ 1\]"),
        (LanguageModel(), (labels(1, 2, 3),), r"tokens must be whole .*, not int64 \[3\]"),
        (LanguageModel(), (labels(1, 2, 3)[:, None],), r"not int64 \[3, 1\]"),
        (
            LanguageModel(vocabulary=3),
            (torch.tensor([[0, 1], [2, 3]]),),
            "sample 1 .* has the token 3; tokens are 0 to 2",
        ),
        (LanguageModel(vocabulary=3), (torch.tensor([[0, -1]]),), "sample 0 .* has the token -1"),
        (LanguageModel(vocabulary=3, ignore=-1), (torch.tensor([[-1]]), torch.tensor([[1]])), "train x: .* token -1"),
        (LanguageModel(ignore=9), (torch.tensor([[1]]), torch.tensor([[9]])), "every token is the ignored one, 9"),
        (LanguageModel(), (torch.tensor([[1, 2]]), torch.tensor([[9]])), "must be of one shape"),
        (Segmentation(), (MAPS, torch.zeros(3, 2, 2)), r"whole numbers \[samples, H, W\], not float32 \[3, 2, 2\]"),
        (Segmentation(), (MAPS, labels(0, 1, 1)), r"not int64 \[3\]"),
        (Segmentation(classes=2), (MAPS, torch.full((3, 2, 2), 2)), "sample 0 .* has the label 2; labels are 0 to 1"),
        (Segmentation(), (MAPS, torch.ones(3, 2, 2).long()), "all samples are of one class"),
        (Segmentation(ignore=9), (MAPS, torch.full((3, 2, 2), 9)), "every label is the ignored one, 9"),
        (Segmentation(), (MAPS, torch.arange(3).reshape(3, 1, 1)), r"labels are \[1, 1\] and images \[2, 2\]"),
    ],
)
def test_data_that_a_task_cannot_be_asked_of_are_refused(task: Task, batch: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        task.check(Data(batch))


def test_a_wrong_sample_of_the_test_part_is_named() -> None:
    good = (X, labels(0, 1, 1))
    with pytest.raises(DataError, match=r"test y: sample 2 \(from 0\) has the target 5"):
        Binary().check(Data(good, (X, labels(0, 1, 5))))
    with pytest.raises(DataError, match=r"test y: sample 0 \(from 0\) has the label 4; labels are 0 to 1"):
        Classification().check(Data(good, (X, labels(4, 1, 1)), facts={"classes": 2}))


def test_a_sample_far_down_is_named() -> None:
    y = torch.zeros(70_000, dtype=torch.uint8)
    y[1], y[69_000] = 1, 9
    with pytest.raises(DataError, match=r"sample 69000 \(from 0\) has the label 9; labels are 0 to 1"):
        Classification().check(Data((torch.zeros(70_000, 1), y), facts={"classes": 2}))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int16, torch.int32])
def test_bool_and_every_whole_type_are_labels(dtype: torch.dtype) -> None:
    y = labels(0, 1, 1, dtype=dtype)
    for task in (Classification(), Binary(), Regression()):
        task.check(Data((X, y)))
    Segmentation().check(Data((MAPS, y.reshape(3, 1, 1).expand(3, 2, 2))))
    LanguageModel(vocabulary=2).check(Data((torch.stack([y, y], 1),)))


def test_an_ignored_label_is_no_class() -> None:
    y = torch.tensor([[[0, 1], [2, 255]]], dtype=torch.uint8)
    data = Data((torch.zeros(1, 1, 2, 2), y))
    assert data.facts["classes"] == 256
    with pytest.raises(DataError, match=r"ignored label 255 .*; give \+task\.classes=3"):
        Segmentation(ignore=255, classes=256).check(data)
    task = Segmentation(ignore=255, classes=3)
    task.check(data)
    assert task.facts(data.facts)["outputs"] == task.facts(data.facts)["classes"] == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Regression(loss="mes"),  # type: ignore[arg-type]
            "loss=mes: must be one of mse, mae, huber; did you mean .*mse",
        ),
        (lambda: Regression(delta=0.0), "delta=0.0: must be a finite number above 0"),
        (lambda: Regression(target_std=(1.0, 0.0)), "target_std=0.0: must be a finite number above 0"),
        (lambda: Regression(target_mean=(1.0, 0.0), targets=3), "there are 3 targets, and 2 numbers"),
        (lambda: Regression(range=float("inf")), "range=.*inf: must be a finite number above 0"),
        (lambda: Binary(pos_weight=-1.0), "pos_weight=.*must be finite numbers of at least 0"),
        (lambda: Binary(pos_weight=(1.0, 2.0), targets=3), "there are 3 of them in the data, and 2 weights"),
        (lambda: Binary(label_smoothing=1.0), "label_smoothing=1.0: is a fraction"),
        (lambda: LanguageModel(generate=-1), "generate=-1: must be at least 0"),
        (lambda: LanguageModel(temperature=0.0), "temperature=0.0: must be a finite number above 0"),
        (lambda: LanguageModel(prompt=""), "prompt=.*: must not be empty"),
        (lambda: LanguageModel(prompt="3 9", vocabulary=5), "prompt=.*: must be numbers of tokens .* from 0 to 4"),
        (lambda: Segmentation(class_weights=(0.0, 0.0)), "class_weights=.*not all 0"),
        (lambda: Classification(class_weights=(1.0, 0.0), label_smoothing=0.1), "does not go with label_smoothing"),
    ],
)
def test_a_value_out_of_its_range_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize("task", [Regression(), Binary()], ids=["regression", "binary"])
@pytest.mark.parametrize(("output", "y"), [((3,), (3, 1)), ((3, 2), (3,)), ((1,), (3,)), ((3, 1), (3, 2)), ((), (3,))])
def test_shapes_are_never_broadcast(task: Task, output: tuple[int, ...], y: tuple[int, ...]) -> None:
    batch = (torch.zeros(output), torch.zeros(y))
    assert "of the shape of the targets, here" in task.complaint(batch[0], batch)
    for method in (task.loss, task.measure):
        with pytest.raises(ConfigError, match="the shapes must be the same"):
            method(nn.Identity(), batch)
