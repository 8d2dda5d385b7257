"""Tell classes apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.batch import Batch, column, samples
from lrsched.tasks._checks import (
    check_fraction,
    check_labels,
    check_sample_weights,
    check_shares,
    check_smoothed,
    check_weights,
    targets,
)
from lrsched.tasks._ensembles import of_classes
from lrsched.tasks._pictures import MOST, is_picture, rgb, tiled
from lrsched.tasks._sums import counted, cross_entropy_sum, mean, over
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class Classification(Task):
    """One of some classes for each sample: cross-entropy of logits [B, classes] with labels int64 [B].

    Targets may be soft: the share of each class, float [B, classes]; a prediction is right then if it is the class of
    the largest share. Means are over samples; with ``class_weights`` or a third column ``weight`` [B] the losses are
    over these weights, while the accuracy counts samples alike.

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        class_weights: what a sample of each class weighs, or None: all alike; of a soft target, each share of it.
        classes: of the data.

    Raises:
        ConfigError: ``label_smoothing`` out of its range, or weights that are no weights.

    >>> undecided = (torch.zeros(1, 2), torch.tensor([1]))  # two logits alike: ln 2
    >>> round(Classification().loss(torch.nn.Identity(), undecided).item(), 4)
    0.6931
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max"}
    units: ClassVar[Mapping[str, str]] = {"loss": "nats", "accuracy": "%"}
    soft_targets: ClassVar[bool] = True

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    classes: int | None = None

    def __post_init__(self) -> None:
        check_fraction("label_smoothing", self.label_smoothing)
        if self.class_weights is not None:
            check_weights("class_weights", self.class_weights, self.classes)
            check_smoothed("class_weights", self.class_weights, self.label_smoothing)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy of the smoothed labels."""
        logits, y = self.forward(model, batch), _target(batch)
        if self._alike(batch):
            return cross_entropy(logits, y, label_smoothing=self.label_smoothing)
        return over(self._sum(logits, batch, self.label_smoothing), self.weight(batch))

    def weight(self, batch: Batch) -> int | Tensor:
        """Samples, or the sum of their weights."""
        y = _target(batch)
        return counted(y, class_weights=self.class_weights, ignore=None, sample=sample_weight(batch))

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the true labels, and how many are right."""
        logits = self.forward(model, batch).float()
        hits = (logits.argmax(1) == _labels(batch)).sum()
        found = {"loss": self._sum(logits, batch), "accuracy": hits}
        return found if self._alike(batch) else {**found, "samples": torch.full_like(hits, samples(batch))}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The mean loss over the weights, and the share of samples that are right."""
        return {
            "loss": mean(sums["loss"], weight),
            "accuracy": mean(sums["accuracy"], float(sums.get("samples", weight))),
        }

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """One output a class, or a column of soft targets."""
        if "classes" in facts:
            return {"outputs": facts["classes"], **facts}
        return {"outputs": facts["targets"], "classes": facts["targets"], **facts} if "targets" in facts else facts

    def check(self, data: Data) -> None:
        """Require labels 0, 1, …, of at least two classes, or the share of each class."""
        if all(y.is_floating_point() and y.ndim == 2 and y.shape[1] > 1 for _, y in targets(data)):
            check_shares(data)
        else:
            check_labels(data, dimensions=1)
        check_sample_weights(data)

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require logits [B, classes]."""
        wanted = [samples(batch), self.classes]
        right = isinstance(output, Tensor) and output.is_floating_point() and output.ndim == 2
        if right and len(output) == wanted[0] and self.classes in (None, output.shape[1]):
            return ""
        return f"logits are wanted, one tensor of floats of shape [samples, classes], here {wanted}"

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say where the logits are, or their number."""
        if not isinstance(output, Tensor):
            return "return the logits alone"
        wrong = output.ndim != 2 or output.shape[1] != self.classes
        return "take the number of its outputs from the argument classes" if wrong else ""

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Tensor:
        """The logarithms of the mean of the probabilities, which are logits."""
        return of_classes(outputs, dim=1)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities [B, classes] and labels int64 [B], of a soft target the class of its largest share."""
        return output.float().softmax(1), _labels(batch)

    def show(self, model: nn.Module, batch: Batch) -> dict[str, Any]:
        """Pictures whose answer is wrong, and what was said of each."""
        x, y = column(batch, 0), _labels(batch)
        said = self.forward(model, batch).argmax(1)
        wrong = (said != y).nonzero().flatten()[:MOST]
        if not is_picture(x.shape) or not len(wrong):
            return {}
        words = [f"{b} taken for {a}" for a, b in zip(said[wrong].tolist(), y[wrong].tolist(), strict=True)]
        return {"wrong answers": tiled(rgb(x[wrong])), "wrong answers in words": ", ".join(words)}

    def _alike(self, batch: Batch) -> bool:
        return self.class_weights is None and sample_weight(batch) is None

    def _sum(self, logits: Tensor, batch: Batch, smoothing: float = 0.0) -> Tensor:
        y, weight = _target(batch), sample_weight(batch)
        return cross_entropy_sum(logits, y, class_weights=self.class_weights, sample=weight, smoothing=smoothing)


def _target(batch: Batch) -> Tensor:
    """Labels int64 [B], or shares of classes [B, classes]."""
    y = column(batch, 1)
    return y if y.is_floating_point() else y.long()


def _labels(batch: Batch) -> Tensor:
    """Labels int64 [B]; of shares the class of the largest."""
    y = column(batch, 1)
    return y.argmax(1) if y.is_floating_point() else y.long()
