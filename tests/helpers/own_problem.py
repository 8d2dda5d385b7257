"""A problem of a user's own: data that are no images, a task that is no classification, a model for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lrsched.data import Data, Source
from lrsched.data.batch import Batch
from lrsched.tasks import Task


@dataclass(frozen=True)
class Noisy(Source):
    """y = the sum of three numbers, and noise."""

    samples: int = 90

    def load(self) -> Data:
        draw = torch.Generator().manual_seed(0)
        x = torch.randn(self.samples, 3, generator=draw)
        return Data((x, x.sum(1) + torch.randn(self.samples, generator=draw)), facts={"quantiles": 1})


@dataclass(frozen=True)
class Named(Source):
    """The same as a mapping."""

    def load(self) -> Data:
        x, y = Noisy().load().train
        return Data({"inputs": x, "wanted": y})


@dataclass(frozen=True)
class Weighed(Source):
    """The same with weights, of which one is negative."""

    def load(self) -> Data:
        x, y = Noisy().load().train
        return Data({"inputs": x, "wanted": y, "weight": torch.ones(len(y)).index_fill_(0, torch.tensor([7]), -2.0)})


@dataclass(frozen=True, kw_only=True)
class Pinball(Task):
    """Pinball loss, and how many targets lie below the prediction."""

    better: ClassVar[dict[str, Any]] = {"loss": "min", "covered": "max"}

    q: float = 0.5

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        x, y = batch
        error = y - model(x)
        return torch.maximum(self.q * error, (self.q - 1) * error).mean()

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        x, y = batch
        return {**super().measure(model, batch), "covered": (y <= model(x)).sum()}


@dataclass(frozen=True, kw_only=True)
class OfNames(Task):
    """Squared error of named columns, in a loss that is all there is."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return (batch["wanted"] - model(batch["inputs"])).square().mean()


@dataclass(frozen=True, kw_only=True)
class ForNames(OfNames):
    """The same, which says where its input is."""

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        return model(batch["inputs"])


@dataclass(frozen=True, kw_only=True)
class NoMean(Task):
    """A loss that forgets to average."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        x, y = batch
        return (y - model(x)).square()


@dataclass(frozen=True, kw_only=True)
class Raises(Task):
    """A loss that asks for what is not there."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return {"x": model(batch[0]).mean()}["mask"]


class Net(nn.Module):
    """A small network that asks for the facts that it needs."""

    def __init__(self, features: int, quantiles: int = 1, hidden: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, quantiles))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


@dataclass(frozen=True, kw_only=True)
class Told(Pinball):
    """Is told the target's mean and deviation."""

    target_mean: float = 0.0
    target_std: float = 1.0


class Large(Pinball):
    """Fails on more than four samples: the trial gives fewer, and an evaluation all there are."""

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if len(batch[1]) > 4:
            raise IndexError("too many")
        return super().measure(model, batch)


class Needy(nn.Module):
    """Asks for a fact that nobody tells."""

    def __init__(self, features: int, colours: int) -> None:
        super().__init__()
        self.layer = nn.Linear(features, colours)


class Bigram(nn.Module):
    """Logits for the next token from this one alone."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens)


@dataclass(frozen=True, kw_only=True)
class Square(Task):
    """Squared error of z = y / 10, answered as y."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        x, y = batch
        return (model(x) - y / 10).square().mean()

    def answer(self, output: Tensor) -> Tensor:
        return output * 10
