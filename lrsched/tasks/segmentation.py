"""Tell classes apart in each pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.batch import Batch, column
from lrsched.errors import DataError
from lrsched.tasks._checks import check_labels, check_range, check_sample_weights, check_weights, targets
from lrsched.tasks._ensembles import of_classes
from lrsched.tasks._pictures import MOST, colours, is_picture, rgb, tiled
from lrsched.tasks._sums import counted, cross_entropy_sum, mean, over, spread
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class Segmentation(Task):
    """One of some classes for each pixel: cross-entropy of logits [B, classes, H, W] with labels [B, H, W].

    The mean is over pixels that count; with ``class_weights`` or a third column ``weight`` [B] the loss is over these
    weights, while the other metrics count pixels alike. Pixels are laid in one row, so that the loss is deterministic
    on every device.

    Metrics, from the matrix of how often each class is taken for each: ``loss`` (nats), ``accuracy``, and ``miou``,
    the mean over the classes that are there or said of tp/(tp + fp + fn).

    Args:
        ignore: a label that counts nowhere, such as 255, or None.
        class_weights: what a pixel of each class weighs, or None: all alike.
        classes: of the data.

    Raises:
        ConfigError: weights that are no weights.

    References:
        Everingham et al., The PASCAL visual object classes challenge, 2010, https://doi.org/10.1007/s11263-009-0275-4

    >>> taken = torch.tensor([[3.0, 1.0], [0.0, 4.0]], dtype=torch.float64)
    >>> Segmentation().metrics({"loss": torch.tensor(4.0), "confusion": taken}, 8)
    {'loss': 0.5, 'accuracy': 0.875, 'miou': 0.775}
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max", "miou": "max"}
    units: ClassVar[Mapping[str, str]] = {"loss": "nats", "accuracy": "%", "miou": "%"}

    ignore: int | None = None
    class_weights: tuple[float, ...] | None = None
    classes: int | None = None

    def __post_init__(self) -> None:
        if self.class_weights is not None:
            check_weights("class_weights", self.class_weights, self.classes)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy of the pixels that count; 0 where none does."""
        logits, y = self._flat(model, batch)
        if self.ignore is None and self.class_weights is None and sample_weight(batch) is None:
            return cross_entropy(logits, y)
        return over(self._sum(logits, y, batch), self.weight(batch))

    def weight(self, batch: Batch) -> int | Tensor:
        """Pixels that count, or the sum of their weights."""
        y, sample = column(batch, 1), spread(sample_weight(batch), column(batch, 1))
        return counted(y.flatten().long(), class_weights=self.class_weights, ignore=self.ignore, sample=sample)

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Sum of the cross-entropies, and how often a class (row) is taken for each (column)."""
        logits, y = self._flat(model, batch)
        classes = logits.shape[1]
        cell = y * classes + logits.argmax(1)
        if self.ignore is not None:
            cell = torch.where(y == self.ignore, classes**2, cell)
        counts = torch.zeros(classes**2 + 1, dtype=torch.int64, device=y.device)
        counts.scatter_add_(0, cell, torch.ones_like(cell))  # bincount makes the host wait
        return {
            "loss": self._sum(logits.float(), y, batch),
            "confusion": counts[:-1].reshape(classes, classes),
        }

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The metrics of the class."""
        taken = sums["confusion"]
        right, union = taken.diagonal(), taken.sum(0) + taken.sum(1) - taken.diagonal()
        return {
            "loss": mean(sums["loss"], weight),
            "accuracy": mean(right.sum(), float(taken.sum())),
            "miou": float((right / union)[union > 0].mean()),
        }

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """One output a class."""
        return facts if self.classes is None else {"outputs": self.classes, **facts, "classes": self.classes}

    def check(self, data: Data) -> None:
        """Require labels 0, 1, … a pixel, of at least two classes."""
        check_labels(data, dimensions=3, classes=self.classes, ignore=self.ignore)
        if self.ignore is not None and self.classes == self.ignore + 1:
            what, labels = targets(data)[0]
            most = check_range(what, labels, None, self.ignore)[1] or 0
            if most + 1 < self.ignore:
                rule = f"the ignored label {self.ignore} is not to be counted among the classes; the next is {most}"
                raise DataError(f"{what}: {rule}; give +task.classes={most + 1}")
        for what, labels in targets(data):
            image = data.facts.get("input_shape", ())
            if len(image) == 3 and tuple(labels.shape[1:]) != tuple(image[1:]):
                raise DataError(f"{what}: labels are {list(labels.shape[1:])} and images {list(image[1:])}, [H, W]")
        check_sample_weights(data)

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require logits [B, classes, H, W]."""
        y = column(batch, 1)
        wanted = [len(y), self.classes, *y.shape[1:]]
        right = isinstance(output, Tensor) and output.is_floating_point() and output.ndim == 4
        if right and [len(output), *output.shape[2:]] == list(y.shape) and self.classes in (None, output.shape[1]):
            return ""
        return f"logits are wanted, one tensor of floats of shape [samples, classes, H, W], here {wanted}"

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say where the logits are, or their number."""
        if not isinstance(output, Tensor):
            return "return the logits alone"
        wrong = output.ndim == 4 and output.shape[1] != self.classes
        return "take the number of its outputs from the argument outputs" if wrong else ""

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Tensor:
        """The logarithms of the mean of the probabilities, which are logits."""
        return of_classes(outputs, dim=1)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities [B, classes, H, W] and labels int64 [B, H, W], the ignored one among them."""
        return output.float().softmax(1), column(batch, 1).long()

    def show(self, model: nn.Module, batch: Batch) -> dict[str, Any]:
        """Classes above what is said to be there, in colours; pictures on top where the input is one."""
        x, y = column(batch, 0)[: MOST // 2], column(batch, 1)[: MOST // 2]
        said = self.forward(model, batch)[: MOST // 2].argmax(1)
        rows = [colours(y), colours(said)]
        if is_picture(x.shape) and x.shape[2:] == y.shape[1:]:
            rows.insert(0, rgb(x))
        return {"target, prediction": tiled(*rows)}

    def _flat(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits [pixels, classes] and labels [pixels]."""
        logits = self.forward(model, batch)
        return logits.movedim(1, -1).flatten(0, -2), column(batch, 1).flatten().long()

    def _sum(self, logits: Tensor, y: Tensor, batch: Batch) -> Tensor:
        sample = spread(sample_weight(batch), column(batch, 1))
        return cross_entropy_sum(logits, y, class_weights=self.class_weights, ignore=self.ignore, sample=sample)
