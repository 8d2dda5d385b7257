"""Train a model on the loss that it computes itself, as Hugging Face's models do."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.data.batch import Batch, samples
from lrsched.data.data import is_whole, target
from lrsched.errors import ConfigError, DataError
from lrsched.tasks._call import answered, by_name, part
from lrsched.tasks._checks import check_range, parts
from lrsched.tasks._ensembles import of_classes, of_numbers
from lrsched.tasks._sums import full_precision, leave_out, mean
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data

_LARGEST = 700.0
"""exp of more is no float64."""


@dataclass(frozen=True, kw_only=True)
class HF(Task):
    """The model's own loss: ``model(**batch).loss``, for the columns of a batch that its forward has parameters for.

    ::

        loss = Σ_m loss_m · weight_m / Σ_m weight_m    over micro-batches m, of an update or of an evaluation

    so that a mean over tokens is that over all tokens that count, whatever the micro-batches were. The target is the
    column ``labels`` (or ``label``, or y); the label −100 counts nowhere.

    Metrics: ``loss`` (nats); ``accuracy``, of labels that are whole numbers, over what counts; ``perplexity`` =
    exp(loss) where the model predicts the next token.

    Args:
        counts: what the model's loss is a mean over: ``samples``; ``labels`` that are not −100; or ``next_labels``,
            these without the first place, for a model that shifts its labels. None: found by the labels and the kind
            of the model.
        classes: of the data.
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max", "perplexity": "min"}
    units: ClassVar[Mapping[str, str]] = {"loss": "nats", "accuracy": "%"}
    ignore: ClassVar[int] = -100
    """A label that counts nowhere."""

    counts: Literal["samples", "labels", "next_labels"] | None = None
    classes: int | None = None

    def of(self, model: nn.Module, batch: Batch) -> HF:
        """What counts, and which metrics there are, by the labels and the kind of the model."""
        y = target(batch)
        whole = y is not None and is_whole(y)
        found = ("next_labels" if predicts_next(model) else "labels") if whole else "samples"
        task = replace(self, counts=self.counts or found)
        if task.counts != "samples" and not whole:
            raise ConfigError("counts", task.counts, "counts labels that are whole numbers", "leave it out")
        if task.counts == "next_labels" and y is not None and y.ndim != 2:
            raise ConfigError("counts", task.counts, "counts the labels of tokens [samples, tokens]", "leave it out")
        leave_out(task, *[] if whole else ["accuracy"], *[] if task.counts == "next_labels" else ["perplexity"])
        return task

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The model's own loss; 0 where no label counts."""
        return self._loss(self.forward(model, batch), batch)

    def weight(self, batch: Batch) -> int | Tensor:
        """Samples, or the labels that count."""
        y = self._counted(batch)
        return samples(batch) if y is None else (y != self.ignore).sum()

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The loss times the weight, and how many labels are right."""
        output = self.forward(model, batch)
        found = {"loss": self._loss(output, batch) * self.weight(batch)}
        if "accuracy" not in self.better:
            return found
        logits, y = self._met(output, batch)
        return {**found, "accuracy": ((logits.argmax(-1) == y) & (y != self.ignore)).sum()}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """Those of the class that this model and these labels have."""
        found = {name: mean(sums[name], weight) for name in sums}
        if "perplexity" in self.better:
            found["perplexity"] = math.exp(min(found["loss"], _LARGEST)) if weight else math.nan
        return found

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """All that the model gives for the batch with its target."""
        return model(**by_name(model, batch, without=("weight",)))

    def predict(self, model: nn.Module, inputs: Batch) -> Any:
        """The logits."""
        output = answered(model, inputs)
        return part(output, "logits", output)

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """As many outputs as there are classes; without classes the model's config says how many."""
        return {"outputs": facts["classes"], **facts} if "classes" in facts else facts

    def check(self, data: Data) -> None:
        """Require labels in their range, and samples that weigh alike."""
        for name, columns in parts(data):
            if "weight" in columns:
                raise DataError(f"{name}: the model's own loss weighs all samples alike; leave the column weight out")
            y = target(columns)
            if y is not None and is_whole(y):
                check_range(f"{name} labels", y, self.classes, self.ignore)

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Any:
        """The mean of the probabilities, as logits, with the cross-entropy of the labels; of numbers, their mean.

        Raises:
            ConfigError: the labels are numbers, of which the model's own loss is not known.
        """
        given = [part(output, "logits", output) for output in outputs]
        merged = of_classes(given, dim=-1) if "accuracy" in self.better else of_numbers(given)
        if isinstance(outputs[0], Tensor):  # to predict
            return merged
        if "accuracy" not in self.better:
            rule = "what the model's own loss makes of several predictions of numbers is not known"
            raise ConfigError("task", "hf", rule, "take task=regression, or checkpoint.snapshots=0")
        logits, y = self._met({"logits": merged}, batch)
        loss = cross_entropy(logits.flatten(0, -2), y.flatten().long(), ignore_index=self.ignore)
        return {"loss": loss, "logits": merged}

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities [P, classes] and labels int64 [P] of what counts; of numbers, the model's and the batch's."""
        logits, y = self._met(output, batch)
        if not is_whole(y):
            return (logits.squeeze(1) if list(logits.shape) == [*y.shape, 1] else logits), y
        counts = y != self.ignore
        return logits[counts].float().softmax(-1), y[counts].long()

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require a loss, and logits that meet the labels."""
        loss, given, y = part(output, "loss"), part(output, "logits"), target(batch)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            return "an output with its loss is wanted, one number"
        if sample_weight(batch) is not None:
            return "its loss weighs all samples alike: leave the column weight out"
        if y is None or not is_whole(y) or not isinstance(given, Tensor):
            return ""
        if list(given.shape[:-1]) != list(y.shape):
            return f"logits are wanted, one a class behind the shape of the labels, {list(y.shape)}"
        if given.shape[-1] == 1:
            return "its one logit is a regression, and the labels are whole numbers: classes"
        return ""

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say what to give."""
        if not isinstance(part(output, "loss"), Tensor):
            return "give the batch a column labels, or take another task"
        return "is model.auto the right kind for these labels?"

    def _loss(self, output: Any, batch: Batch) -> Tensor:
        loss = full_precision(part(output, "loss")).reshape(())
        weight = self.weight(batch)
        if isinstance(weight, int):
            return loss
        return torch.where(weight == 0, torch.zeros_like(loss), loss)  # a mean of nothing is no number

    def _met(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits, and the labels that they stand for: of next tokens, those one place behind."""
        logits, y = part(output, "logits"), target(batch)
        assert y is not None  # as `of` and the trial have seen
        return (logits[:, :-1], y[:, 1:]) if self.counts == "next_labels" else (logits, y)

    def _counted(self, batch: Batch) -> Tensor | None:
        """The labels, of which some may count nowhere; None where samples count."""
        y = target(batch)
        if self.counts in (None, "samples") or y is None:
            return None
        return y[:, 1:] if self.counts == "next_labels" else y


def predicts_next(model: nn.Module) -> bool:
    """Whether a model is one of Hugging Face's that shift their labels by one token."""
    kinds = sys.modules.get("transformers.models.auto.modeling_auto")
    if kinds is None:
        return False
    network = getattr(model, "network", model)
    return type(network).__name__ in set(kinds.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
