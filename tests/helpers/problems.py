"""A small problem for each task, whose models draw numbers and have buffers: state to lose in a kill."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrsched.data import Data, Source

SAMPLES = 120  # 24 test, 10 validation, 86 training: 6 updates of 16


def _draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Rows(Source):
    """Rows of five numbers, with a target of a kind: label, number, numbers, yes, several, tokens, pixels."""

    kind: str

    def load(self) -> Data:
        x = torch.randn(SAMPLES, 5, generator=_draws(0))
        weight = torch.rand(SAMPLES, generator=_draws(1)) + 0.1
        score = x @ torch.randn(5, 3, generator=_draws(2)) + torch.randn(SAMPLES, 3, generator=_draws(3))
        if self.kind == "label":
            return Data((x, score.argmax(1), weight), facts={"classes": 3}, strata=score.argmax(1))
        if self.kind == "yes":
            return Data((x, (score[:, 0] > 0.5).long()))
        if self.kind == "several":
            return Data((x, (score > 0).long()))
        if self.kind == "numbers":
            return Data((x, score[:, :2] * 30 + 100, weight))
        return Data((x, score[:, 0] * 30 + 100))


@dataclass(frozen=True)
class Padded(Source):
    """Sequences of tokens 0 … 6, each as long as it is, filled up with 7."""

    def load(self) -> Data:
        tokens = torch.randint(0, 7, (SAMPLES, 9), generator=_draws(4)).cumsum(1) % 7
        ends = torch.randint(2, 9, (SAMPLES, 1), generator=_draws(5))
        target = torch.where(torch.arange(1, 9) <= ends, tokens[:, 1:], 7)
        return Data((tokens[:, :-1], target), facts={"vocabulary": 8, "context": 8})


@dataclass(frozen=True)
class Masks(Source):
    """Pictures of a bright square, whose pixels are class 1; those of the border count nowhere."""

    def load(self) -> Data:
        at = torch.randint(1, 4, (SAMPLES, 2), generator=_draws(6))
        rows, columns = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
        top, left = at[:, :1, None], at[:, 1:, None]
        mask = ((rows >= top) & (rows < top + 2) & (columns >= left) & (columns < left + 2)).long()
        x = mask[:, None] + 0.5 * torch.randn(SAMPLES, 1, 6, 6, generator=_draws(7))
        mask[:, 0] = 255
        return Data((x, mask), facts={"classes": 2})


class Speaker(nn.Module):
    """Logits of the next token from the one before, with dropout."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Embedding(vocabulary, 8), nn.Dropout(0.2), nn.Linear(8, vocabulary))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Painter(nn.Module):
    """Logits of a class for each pixel, with batch norm and dropout."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(4, classes, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


HERE = __name__
MLP = "+model={_target_: lrsched.models.MLP, hidden: [8], dropout: 0.2}"


def _of(kind: str) -> str:
    return f"+dataset={{_target_: {HERE}.Rows, kind: {kind}, batch_size: 16}}"


PROBLEMS = {
    "classification": (_of("label"), "task=classification", "task.label_smoothing=0.1", MLP),
    "regression": (_of("numbers"), "task=regression", "task.loss=huber", MLP),
    "binary": (_of("yes"), "task=binary", "task.pos_weight=2", MLP),
    "multi-label": (_of("several"), "task=binary", "task.pos_weight=[1,2,0.5]", MLP),
    "language model": (
        f"+dataset={{_target_: {HERE}.Padded, batch_size: 16}}",
        "task=language_model",
        "task.ignore=7",
        f"+model={{_target_: {HERE}.Speaker}}",
    ),
    "segmentation": (
        f"+dataset={{_target_: {HERE}.Masks, batch_size: 16}}",
        "task=segmentation",
        "task.ignore=255",
        f"+model={{_target_: {HERE}.Painter}}",
    ),
    "torch/SmoothL1Loss": (_of("number"), "task=torch/SmoothL1Loss", MLP),
    "own": (
        "+dataset={_target_: tests.helpers.own_problem.Noisy, samples: 120, batch_size: 16}",
        "~task",
        "+task={_target_: tests.helpers.own_problem.Pinball}",
        "+model={_target_: tests.helpers.own_problem.Net}",
    ),
}
"""Overrides that make a problem of each task."""
