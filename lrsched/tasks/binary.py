"""Say yes or no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lrsched.data.batch import Batch, column, samples
from lrsched.data.data import form
from lrsched.errors import DataError
from lrsched.tasks._checks import check_fraction, check_sample_weights, check_values, check_weights
from lrsched.tasks._checks import targets as targets_in
from lrsched.tasks._ensembles import of_decisions
from lrsched.tasks._sums import aligned, mean, numbers, over, shape_complaint
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class Binary(Task):
    """Yes (1) or no (0) for each sample, or for each of several targets (multi-label): one logit a target.

    ::

        loss = −[pos_weight·q·log σ(logit) + (1 − q)·log(1 − σ(logit))],   q = (1 − ε)·y + ε/2,   ε = label_smoothing

    Targets are bool, whole numbers or floats, [B] or [B, targets]; logits are of the same shape, and [B, 1] meets [B].
    The mean is over samples and their targets; a third column ``weight`` [B] weighs the samples. Evaluations leave
    the smoothing out. Yes is said where the logit is above 0.

    Metrics: ``loss`` (nats); ``accuracy``, the share of right decisions, and ``f1`` = 2·tp/(2·tp + fp + fn), the mean
    over targets, 0 for one that is neither there nor said; both count samples alike.

    Args:
        pos_weight: what a yes weighs, or one number a target: (number of no)/(number of yes) balances the two.
        label_smoothing: ε, in [0, 1).
        targets: numbers in a target.

    Raises:
        ConfigError: a value out of its range.

    >>> from torch import nn
    >>> batch = (torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 1]))
    >>> sums = Binary().measure(nn.Identity(), batch)
    >>> Binary().metrics(sums, 2)["accuracy"]
    0.5
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max", "f1": "max"}
    units: ClassVar[Mapping[str, str]] = {"loss": "nats", "accuracy": "%", "f1": "%"}

    pos_weight: float | tuple[float, ...] | None = None
    label_smoothing: float = 0.0
    targets: int | None = None

    def __post_init__(self) -> None:
        check_fraction("label_smoothing", self.label_smoothing)
        if isinstance(self.pos_weight, tuple):
            check_weights("pos_weight", self.pos_weight, self.targets)
        elif self.pos_weight is not None:
            check_weights("pos_weight", [self.pos_weight], None)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy of the smoothed targets."""
        weight, y = sample_weight(batch), column(batch, 1)
        logits = aligned(self.forward(model, batch), y)
        q = y.to(logits.dtype)
        if self.label_smoothing:
            q = (1 - self.label_smoothing) * q + self.label_smoothing / 2
        if weight is None:
            return binary_cross_entropy_with_logits(logits, q, pos_weight=self._pos_weight(logits))
        return over(self._sum(logits, q, weight), weight.sum())

    def weight(self, batch: Batch) -> int | Tensor:
        """Samples, or the sum of their weights."""
        weight = sample_weight(batch)
        return samples(batch) if weight is None else weight.sum()

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The losses of the true targets, and for each target how often yes is right, said and true."""
        y = column(batch, 1)
        logits = aligned(self.forward(model, batch), y)
        said, true = logits > 0, y > 0
        found = {"hits": said == true, "both": said & true, "said": said, "true": true}
        sums = {name: each.sum(0) for name, each in found.items()}
        sums["decisions"] = torch.full_like(sums["hits"], len(y))
        return {"loss": self._sum(logits, y.to(logits.dtype), sample_weight(batch)), **sums}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The metrics of the class."""
        named = (sums["said"] + sums["true"]).clamp(min=1)
        return {
            "loss": mean(sums["loss"], weight),
            "accuracy": mean(sums["hits"].sum(), float(sums["decisions"].sum())),
            "f1": float((2 * sums["both"] / named).mean()),
        }

    def check(self, data: Data) -> None:
        """Require targets 0 and 1, of which both occur."""
        for number, (what, y) in enumerate(targets_in(data)):
            if y.is_complex():
                raise DataError(f"{what}: targets must be 0 or 1, not {form(y)}")
            check_values(what, y, (y == 0) | (y == 1), "targets are 0 (no) and 1 (yes)")
            if not number and bool((y == y.flatten()[0]).all()):
                raise DataError(f"{what}: every target is {int(y.flatten()[0])}; there is nothing to tell apart")
        check_sample_weights(data)

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require a logit a target."""
        return shape_complaint(output, column(batch, 1), "logits")

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say where the number of outputs is."""
        if not isinstance(output, Tensor):
            return "return the logits alone"
        return "take the number of its outputs from the argument outputs: one a target"

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Tensor:
        """The logit of the mean of the probabilities of yes."""
        return of_decisions(outputs)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities of yes, and targets int64, both of the shape of the targets."""
        y = column(batch, 1)
        return aligned(output, y).float().sigmoid(), y.long()

    def _pos_weight(self, logits: Tensor) -> Tensor | None:
        if self.pos_weight is None:
            return None
        if not isinstance(self.pos_weight, tuple):
            return torch.full((), self.pos_weight, dtype=logits.dtype, device=logits.device)
        return numbers(self.pos_weight, logits).reshape(logits.shape[1:])

    def _sum(self, logits: Tensor, q: Tensor, weight: Tensor | None) -> Tensor:
        """Sum over samples of the mean over targets."""
        losses = binary_cross_entropy_with_logits(logits, q, reduction="none", pos_weight=self._pos_weight(logits))
        each = losses.reshape(len(q), -1).mean(1)
        return each.sum() if weight is None else (each * weight.to(each.dtype)).sum()
