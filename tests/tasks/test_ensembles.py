"""What tasks make of several outputs: the loss of the mean of the probabilities, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import nll_loss

from lrsched.tasks import HF, Binary, Classification, LanguageModel, Regression, Segmentation
from lrsched.tasks.task import Task
from lrsched.tasks.torch_loss import loss_task

SAME = nn.Identity()


def drawn(*shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [3 * torch.randn(*shape, generator=generator) for _ in range(3)]


def labels(classes: int, *shape: int) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(1))


def mean_of(outputs: list[Tensor], dim: int) -> Tensor:
    return torch.stack([output.double().softmax(dim) for output in outputs]).mean(0)


CLASSES: dict[str, tuple[Task, list[Tensor], Tensor, int]] = {
    "classification": (Classification(classes=4), drawn(6, 4), labels(4, 6), 1),
    "segmentation": (Segmentation(classes=4), drawn(2, 4, 3, 3), labels(4, 2, 3, 3), 1),
    "cross-entropy": (loss_task(nn.CrossEntropyLoss, {}), drawn(6, 4), labels(4, 6), 1),
}


@pytest.mark.parametrize("name", CLASSES)
def test_of_classes_the_probabilities_are_averaged(name: str) -> None:
    task, outputs, y, dim = CLASSES[name]
    merged = task.ensemble(outputs, (outputs[0], y))
    wanted = mean_of(outputs, dim)
    assert torch.allclose(merged.double().softmax(dim), wanted, atol=1e-6)
    assert task.loss(SAME, (merged, y)).item() == pytest.approx(nll_loss(wanted.log(), y).item(), rel=1e-5)


def test_of_tokens_too() -> None:
    outputs, y = drawn(2, 5, 7), labels(7, 2, 5)
    merged = LanguageModel(vocabulary=7).ensemble(outputs, (y, y))
    assert torch.allclose(merged.double().exp(), mean_of(outputs, -1), atol=1e-6)


def test_an_improbable_class_has_a_finite_loss() -> None:
    outputs = [torch.tensor([[0.0, 500.0]]), torch.tensor([[0.0, 400.0]])]
    merged = Classification().ensemble(outputs, None)
    assert Classification().loss(SAME, (merged, torch.tensor([0]))).item() == pytest.approx(400 + 0.6931, rel=1e-4)


@pytest.mark.parametrize("task", [Binary(), loss_task(nn.BCEWithLogitsLoss, {})], ids=["binary", "torch"])
def test_of_decisions_the_probabilities_of_yes_are_averaged(task: Task) -> None:
    outputs, y = drawn(6, 2), labels(2, 6, 2).float()
    p = torch.stack([output.double().sigmoid() for output in outputs]).mean(0)
    merged = task.ensemble(outputs, (outputs[0], y))
    wanted = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    assert task.loss(SAME, (merged, y)).item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("task", [Regression(), loss_task(nn.HuberLoss, {})], ids=["regression", "torch"])
def test_numbers_are_averaged(task: Task) -> None:
    outputs = drawn(6, 2)
    assert torch.equal(task.ensemble(outputs, None), torch.stack(outputs).mean(0))
    halves = [output.bfloat16() for output in outputs]
    assert task.ensemble(halves, None).dtype == torch.float32


def test_logarithms_are_averaged_as_what_they_are_of() -> None:
    outputs = [output.log_softmax(1) for output in drawn(6, 4)]
    merged = loss_task(nn.NLLLoss, {}).ensemble(outputs, None)
    assert torch.allclose(merged.double().exp(), mean_of(outputs, 1), atol=1e-6)


def test_the_loss_of_a_model_of_hugging_faces_is_the_cross_entropy_of_the_mean() -> None:
    outputs, y = drawn(4, 3), torch.tensor([0, -100, 2, 1])
    batch: dict[str, Any] = {"input_ids": torch.zeros(4, 2), "labels": y}
    merged = HF(counts="labels").ensemble([{"logits": each, "loss": torch.tensor(0.0)} for each in outputs], batch)
    counts = y != -100
    wanted = nll_loss(mean_of(outputs, 1)[counts].log(), y[counts])
    assert merged["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert torch.equal(HF().ensemble(outputs, batch), merged["logits"])
