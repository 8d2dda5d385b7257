"""Data sets and tasks of a user's own that are wrong, each in one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lrsched.data import Data, Source
from lrsched.data.batch import Batch
from lrsched.tasks import Task

N = 60
X = torch.arange(N * 3.0).reshape(N, 3) / N
Y = X.sum(1)
LABELS = torch.arange(N) % 3


def _data(**changes: Any) -> Any:
    return Data(**{"train": (X, Y), **changes})


SOURCES: dict[str, Any] = {
    "nothing": lambda: None,
    "a tuple": lambda: (X, Y),
    "raises": lambda: {}["path"],
    "no file": lambda: torch.load("missing.pt"),
    "lists": lambda: Data(([1.0, 2.0], [1.0, 2.0])),
    "one tensor": lambda: Data(X),
    "unequal": lambda: Data((X, Y[:-1])),
    "not a number": lambda: Data((X.clone().index_fill_(0, torch.tensor([7]), float("nan")), Y)),
    "infinite target": lambda: Data((X, Y.clone().index_fill_(0, torch.tensor([4]), float("inf")))),
    "empty": lambda: Data((X[:0], Y[:0])),
    "no columns": lambda: Data(()),
    "a number for a column": lambda: Data((X, torch.tensor(1.0))),
    "another test": lambda: Data((X, Y), (X[:5, :2], Y[:5])),
    "another type of test": lambda: Data((X, Y), (X[:5].double(), Y[:5])),
    "three samples": lambda: Data((X[:3], Y[:3])),
    "strata of another length": lambda: _data(strata=LABELS[:-1]),
    "groups in order": lambda: _data(groups=LABELS, order="last"),
    "one group": lambda: _data(groups=torch.zeros(N, dtype=torch.long)),
    "another order": lambda: _data(order="random"),
    "negative gap": lambda: _data(order="last", gap=-1),
    "gap of everything": lambda: _data(order="last", gap=40),
    "facts that are no mapping": lambda: _data(facts=[("classes", 3)]),
    "another fill": lambda: _data(fill="mode"),
    "infinite fill": lambda: _data(fill=float("inf")),
    "sparse": lambda: Data((X.to_sparse(), Y)),
    "meta": lambda: Data((X.to("meta"), Y.to("meta"))),
    "grad": lambda: Data((X.clone().requires_grad_(), Y)),
    "complex": lambda: Data((X.to(torch.complex64), Y)),
}
"""What load() gives, or how it fails."""


@dataclass(frozen=True)
class Wrong(Source):
    """A data set that is wrong in a way."""

    way: str

    def load(self) -> Data:
        return SOURCES[self.way]()


@dataclass(frozen=True)
class Right(Source):
    """A data set with nothing wrong."""

    def load(self) -> Data:
        return Data((X, Y))


@dataclass(frozen=True, kw_only=True)
class Mean(Task):
    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        x, y = batch
        return (model(x).squeeze(1) - y).square().mean()


class LossIsNumber(Mean):
    def loss(self, model, batch):
        return 1.0


class LossIsVector(Mean):
    def loss(self, model, batch):
        x, y = batch
        return (model(x).squeeze(1) - y).square()


class LossIsCutOff(Mean):
    def loss(self, model, batch):
        return super().loss(model, batch).detach()


class LossIsWhole(Mean):
    def loss(self, model, batch):
        return super().loss(model, batch).long()


class NoLoss(Task):
    pass


class WeightIsNone(Mean):
    def weight(self, batch):
        return None


class WeightIsNegative(Mean):
    def weight(self, batch):
        return -len(batch[0])


class WeightIsVector(Mean):
    def weight(self, batch):
        return torch.ones(len(batch[0]))


class MeasureIsNone(Mean):
    def measure(self, model, batch):
        return None


class MeasureIsNumbers(Mean):
    def measure(self, model, batch):
        return {"loss": 1.0}


class MeasureRaises(Mean):
    def measure(self, model, batch):
        raise KeyError("y")


class MeasureGrows(Mean):
    """Sums whose shape is that of the batch: they cannot be added where the last batch is smaller."""

    def measure(self, model, batch):
        return {"loss": (model(batch[0]).squeeze(1) - batch[1]).square()}


class NoWayBack(Mean):
    def loss(self, model, batch):
        given = model(batch[0]).exp()
        loss = given.square().mean()
        given += 1  # the gradient of the square needs what it was
        return loss


class MetricsIsNone(Mean):
    def metrics(self, sums, weight):
        return None


class MetricsRaises(Mean):
    def metrics(self, sums, weight):
        raise ZeroDivisionError("division by zero")


class MetricsIsText(Mean):
    def metrics(self, sums, weight):
        return {"loss": "good"}


class MetricIsMissing(Mean):
    better: ClassVar = {"loss": "min", "mae": "min"}


class MetricIsUnnamed(Mean):
    def measure(self, model, batch):
        return {**super().measure(model, batch), "extra": torch.ones(())}


class NoDirection(Mean):
    better: ClassVar = {"loss": "low"}


class NoMetric(Mean):
    better: ClassVar = {}


class BetterIsList(Mean):
    better: ClassVar = ["loss"]


class BadName(Mean):
    better: ClassVar = {"loss": "min", "my metric/%": "min"}

    def measure(self, model, batch):
        return {**super().measure(model, batch), "my metric/%": torch.ones(())}


class CheckRaises(Mean):
    def check(self, data):
        raise AttributeError("no such column")


class FactsIsNone(Mean):
    def facts(self, facts):
        return None


class FactsRaises(Mean):
    def facts(self, facts):
        return {"outputs": facts["classes"]}


class NoTask:
    def loss(self, model, batch):
        return model(batch[0]).mean()


class NeedsArgument(Mean):
    def __init__(self, quantile):
        pass


class Net(nn.Module):
    """Linear regression."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x)
