"""A small model and small data for each task, and what one checks of every task."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lrsched.data.batch import Batch
from lrsched.tasks.binary import Binary
from lrsched.tasks.classification import Classification
from lrsched.tasks.language_model import LanguageModel
from lrsched.tasks.regression import Regression
from lrsched.tasks.segmentation import Segmentation
from lrsched.tasks.task import Task, share
from lrsched.tasks.torch_loss import loss_task

N = 12


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Tokens(nn.Module):
    """Logits [B, T, vocabulary] from an embedding."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 4)
        self.head = nn.Linear(4, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embedding(x))


def model_of(kind: str, outputs: int = 3) -> nn.Module:
    """A model of given weights: linear, tokens or pixels."""
    torch.manual_seed(5)
    if kind == "tokens":
        return Tokens(outputs)
    return nn.Conv2d(1, outputs, 3, padding=1) if kind == "pixels" else nn.Linear(4, outputs)


def _x(*shape: int) -> Tensor:
    return torch.randn(N, *shape, generator=draws(1))


def _whole(high: int, *shape: int, low: int = 0) -> Tensor:
    return torch.randint(low, high, (N, *shape), generator=draws(2))


def _real(*shape: int) -> Tensor:
    return torch.randn(N, *shape, generator=draws(3))


WEIGHT = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.25, 2.0, 1.0, 0.0, 1.0])
IGNORED = torch.where(torch.rand(N, 6, generator=draws(4)) < 0.4, 7, _whole(5, 6))
IGNORED[3:6] = 7  # a micro-batch of which nothing counts
HALF = _whole(2, 3, 3)
HALF[:4] = 255

CASES: dict[str, tuple[Task, nn.Module, tuple[Tensor, ...]]] = {
    "classification": (Classification(classes=3), model_of("rows"), (_x(4), _whole(3))),
    "classification smoothed": (
        Classification(classes=3, label_smoothing=0.1, class_weights=(1.0, 0.25, 3.0)),
        model_of("rows"),
        (_x(4), _whole(3), WEIGHT),
    ),
    "classification weighted": (
        Classification(classes=3, class_weights=(1.0, 0.0, 3.0)),
        model_of("rows"),
        (_x(4), _whole(3)),
    ),
    "regression": (Regression(), model_of("rows", 1), (_x(4), _real())),
    "regression of two": (
        Regression(loss="huber", delta=0.5, target_mean=(1.0, -2.0), target_std=(2.0, 0.5), range=4.0),
        model_of("rows", 2),
        (_x(4), _real(2), WEIGHT),
    ),
    "regression of pictures": (Regression(loss="mae"), model_of("pixels", 1), (_x(1, 3, 3), _real(1, 3, 3))),
    "binary": (Binary(pos_weight=2.0), model_of("rows", 1), (_x(4), _whole(2))),
    "binary of three": (
        Binary(pos_weight=(1.0, 2.0, 0.5), label_smoothing=0.1),
        model_of("rows"),
        (_x(4), _whole(2, 3), WEIGHT),
    ),
    "language model": (LanguageModel(vocabulary=5), model_of("tokens", 5), (_whole(5, 7),)),
    "language model padded": (
        LanguageModel(vocabulary=8, ignore=7),
        model_of("tokens", 8),
        (_whole(5, 6), IGNORED),
    ),
    "segmentation": (Segmentation(classes=3), model_of("pixels"), (_x(1, 3, 3), _whole(3, 3, 3))),
    "segmentation ignoring": (
        Segmentation(classes=2, ignore=255, class_weights=(1.0, 4.0)),
        model_of("pixels", 2),
        (_x(1, 3, 3), HALF),
    ),
    "torch/HuberLoss": (loss_task(nn.HuberLoss, {"delta": 0.5}), model_of("rows", 1), (_x(4), _real())),
    "torch/CrossEntropyLoss": (
        loss_task(nn.CrossEntropyLoss, {"weight": [1.0, 2.0, 0.25], "label_smoothing": 0.1}),
        model_of("rows"),
        (_x(4), _whole(3)),
    ),
    "torch/NLLLoss": (
        loss_task(nn.NLLLoss, {"ignore_index": 2}),
        nn.Sequential(model_of("rows"), nn.LogSoftmax(1)),
        (_x(4), _whole(3), WEIGHT),
    ),
}


def cut(batch: Batch, *ends: int) -> list[tuple[Tensor, ...]]:
    """The batch in pieces."""
    return [tuple(c[a:b] for c in batch) for a, b in zip((0, *ends), (*ends, N), strict=True)]


def gradients(task: Task, model: nn.Module, batches: list[Any]) -> list[Tensor]:
    """The gradient that an update has: the share of each micro-batch, added up."""
    model.zero_grad()
    weights = [task.weight(batch) for batch in batches]
    for weight, batch in zip(weights, batches, strict=True):
        (task.loss(model, batch) * share(weight, sum(weights))).backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@torch.no_grad()
def evaluated(task: Task, model: nn.Module, batches: list[Any]) -> dict[str, float]:
    """The metrics, as an evaluation adds them up."""
    sums: dict[str, Tensor] = {}
    for batch in batches:
        for name, value in task.measure(model, batch).items():
            sums[name] = sums.get(name, torch.zeros(())).double() + value.double()
    return task.metrics(sums, float(sum(task.weight(batch) for batch in batches)))
