"""Tell classes apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.batch import Batch, column, samples
from lrsched.errors import ConfigError
from lrsched.tasks._checks import check_labels, check_weights
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class Classification(Task):
    """One of some classes for each sample: cross-entropy of logits [B, classes] with labels int64 [B].

    Means are over samples; with ``class_weights`` or a third column ``weight`` [B] the losses are over these weights,
    while the accuracy counts samples alike.

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        class_weights: what a sample of each class weighs, or None: all alike.
        classes: of the data.

    Raises:
        ConfigError: ``label_smoothing`` out of its range, or weights that are no weights.
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max"}
    units: ClassVar[Mapping[str, str]] = {"loss": "nats", "accuracy": "%"}

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    classes: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError("label_smoothing", self.label_smoothing, "is a fraction: at least 0 and below 1")
        if self.class_weights is not None:
            check_weights("class_weights", self.class_weights, self.classes)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy of the smoothed labels."""
        logits, y, weight = self.forward(model, batch), column(batch, 1), sample_weight(batch)
        if weight is None:
            each = self._class_weights(logits)
            return cross_entropy(logits, y, each, label_smoothing=self.label_smoothing)
        losses = cross_entropy(
            logits, y, self._class_weights(logits), label_smoothing=self.label_smoothing, reduction="none"
        )
        return (losses * weight).sum() / self.weight(batch)

    def weight(self, batch: Batch) -> int | Tensor:
        """Samples, or the sum of their weights."""
        weight, y = sample_weight(batch), column(batch, 1)
        if self.class_weights is not None:
            of_class = torch.tensor(self.class_weights, device=y.device)[y]
            return (of_class if weight is None else of_class * weight).sum()
        return samples(batch) if weight is None else weight.sum()

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the true labels, and how many are right."""
        logits, y, weight = self.forward(model, batch).float(), column(batch, 1), sample_weight(batch)
        hits = (logits.argmax(1) == y).sum()
        if weight is None and self.class_weights is None:
            return {"loss": cross_entropy(logits, y, reduction="sum"), "accuracy": hits}
        losses = cross_entropy(logits, y, self._class_weights(logits), reduction="none")
        total = losses.sum() if weight is None else (losses * weight).sum()
        return {"loss": total, "accuracy": hits, "samples": torch.tensor(samples(batch), device=hits.device)}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The mean loss over the weights, and the share of samples that are right."""
        return {
            "loss": float(sums["loss"]) / weight,
            "accuracy": float(sums["accuracy"]) / float(sums.get("samples", weight)),
        }

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """One output a class."""
        return {"outputs": facts["classes"], **facts} if "classes" in facts else facts

    def check(self, data: Data) -> None:
        """Require labels 0, 1, …, of at least two classes."""
        check_labels(data, dimensions=1)

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

    def _class_weights(self, like: Tensor) -> Tensor | None:
        return None if self.class_weights is None else torch.tensor(self.class_weights, device=like.device).to(like)
