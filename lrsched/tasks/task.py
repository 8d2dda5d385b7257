"""Define Task, the base class of tasks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from lrsched.data.batch import Batch, column, named, samples
from lrsched.errors import ConfigError
from lrsched.tasks._call import answered
from lrsched.tasks._ensembles import of_numbers

if TYPE_CHECKING:
    from lrsched.data.data import Data

Direction = Literal["min", "max"]

TARGET = "target"
"""The unit that stands for the target's own, the data's fact ``unit``."""

MOST_LETTERS = 16
"""Of a unit: it stands in the columns of a table."""


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What a model is asked, and what its answer is worth. Pure: holds no model, no data, no counter.

    To the methods, ``batch`` is the columns of some samples, samples first, as the data set has them, after its
    transform, ``output`` what the model gives for them, ``data`` those of the run, ``facts`` what these tell, by name.

    A subclass is a frozen dataclass; its fields are the parameters that YAML may set. A field with the name of a
    fact of the data (``classes``, ``target_mean``, …) is given that fact. Only :meth:`loss` must be written. ::

        @dataclass(frozen=True, kw_only=True)
        class Pinball(Task):
            q: float = 0.5

            def loss(self, model, batch):
                x, y = batch
                error = y - model(x).squeeze(1)
                return torch.maximum(self.q * error, (self.q - 1) * error).mean()
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min"}
    """Every metric, and which way it is better."""

    units: ClassVar[Mapping[str, str]] = {}
    """What a metric is measured in: ``%`` for a fraction, a word such as ``nats``, or ``target`` for the unit of the
    target, the data's fact ``unit``."""

    soft_targets: ClassVar[bool] = False
    """Whether :meth:`loss` and :meth:`weight` take soft targets, the share of each class, float [B, classes]: mixup and
    cutmix make them of labels in training. A class that writes one of the two methods anew declares it anew."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The training loss: a number, the mean over the batch's weight.

        May draw from torch's generators: they are seeded for each micro-batch.

        Args:
            model: in training mode; of any output.
            batch: columns, samples first.
        """

    def weight(self, batch: Batch) -> int | Tensor:
        """What the mean is over: here samples; for a task of sequences the tokens that count."""
        return samples(batch)

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The sums over the batch by name, of any shape; they are added over an evaluation in float64.

        Args:
            model: in evaluation mode.
            batch: columns, samples first.
        """
        return {"loss": self.loss(model, batch) * self.weight(batch)}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The metrics of an evaluation: every name of :attr:`better`.

        Args:
            sums: float64 on the CPU, from :meth:`measure`.
            weight: the sum of :meth:`weight`.
        """
        return {name: float(total) / weight if weight else math.nan for name, total in sums.items()}

    def check(self, data: Data) -> None:  # noqa: B027  (a task may have nothing to refuse)
        """Refuse data that this cannot be asked of.

        Raises:
            DataError: names the sample and the value.
        """

    def of(self, model: nn.Module, batch: Batch) -> Task:
        """The same task, once it has seen the ``model`` and two training samples; here itself.

        A task may measure less than :attr:`better` of its class, or count otherwise, for the models of some kind.

        Raises:
            ConfigError: it cannot be asked of this model.
        """
        return self

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The facts that the model is told: those of the data, and ``outputs``, how many numbers it shall give.

        Here as many as there are targets; a task that asks for others overrides this.
        """
        return {"outputs": facts["targets"], **facts} if "targets" in facts else facts

    def parameters(self) -> dict[str, Any]:
        """What this was made with, by the names of its constructor."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}

    def told(self, facts: Mapping[str, Any]) -> Self:
        """The same task with those facts of the data that it has parameters for, where these are at their defaults.

        >>> from lrsched.tasks import Classification
        >>> Classification(label_smoothing=0.1).told({"classes": 3, "features": 2})
        Classification(label_smoothing=0.1, class_weights=None, classes=3)
        """
        given, taken = self.parameters(), signature(type(self)).parameters
        missing = [name for name in given if name in facts and _same(given[name], taken[name].default)]
        return type(self)(**{**given, **{name: facts[name] for name in missing}}) if missing else self

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """What the ``model`` gives for the batch's input; see :func:`lrsched.tasks._call.answered`."""
        return answered(model, batch)

    def predict(self, model: nn.Module, inputs: Batch) -> Any:
        """What the ``model`` gives for ``inputs`` alone: a batch without its targets."""
        return self.forward(model, inputs)

    def complaint(self, output: Any, batch: Batch) -> str:
        """What is wanted instead of this output of :meth:`forward`, in words; empty if the output is right."""
        return ""

    def remedy(self, output: Any, batch: Batch) -> str:
        """What to do about an output that there is a complaint about."""
        return ""

    def answer(self, output: Tensor) -> Tensor:
        """The prediction that an output stands for, in the target's own unit; logits stay what they are."""
        return output

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Any:
        """One output that stands for those of several models for a batch, which :meth:`measure` is then given.

        Here their mean, which suits numbers; a task of classes takes the mean of the probabilities, as logits.

        Args:
            outputs: of :meth:`forward` or :meth:`predict`, at least one.
            batch: what the models were given, samples first; to predict, without targets.
        """
        return of_numbers(outputs)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """What a metric of torchmetrics is given for an output of :meth:`forward`: predictions and targets.

        Here the answer in the target's own unit; a task of classes gives probabilities [B, classes, …] and labels.
        """
        y = column(batch, 1)
        predictions = self.answer(output)
        return (predictions.squeeze(1) if list(predictions.shape) == [*y.shape, 1] else predictions), y

    def show(self, model: nn.Module, batch: Batch) -> dict[str, Any]:
        """The pictures (uint8 [H, W, 3]) or texts by name to look at with an evaluation.

        The ``model`` is in evaluation mode; draws come from a generator of their own and change nothing of the run.
        """
        return {}


def units_of(task: Task, facts: Mapping[str, Any]) -> dict[str, str]:
    """The units of a task's metrics, of those that have one, with the target's own unit in its place.

    Args:
        task: of the run.
        facts: of the data; ``unit`` is that of the target.

    Raises:
        ConfigError: the task, or the data, say something else than a word.

    >>> from lrsched.tasks import Regression
    >>> units_of(Regression(), {"unit": "EUR"}), units_of(Regression(range=1.0), {})
    ({'mae': 'EUR', 'rmse': 'EUR'}, {'psnr': 'dB'})
    """
    units = {name: facts.get("unit", "") if unit == TARGET else unit for name, unit in task.units.items()}
    for name, unit in units.items():
        if not isinstance(unit, str) or not unit.isprintable() or len(unit) > MOST_LETTERS:
            rule = f"is the unit of {name}: a printable word of at most {MOST_LETTERS} letters"
            raise ConfigError("task.units" if task.units[name] != TARGET else "dataset.unit", unit, rule)
    return {name: unit for name, unit in units.items() if unit and name in task.better}


def takes_soft_targets(task: Task) -> bool:
    """Whether the class that writes the loss and the weight has declared them for soft targets.

    >>> from lrsched.tasks import Classification, Regression
    >>> takes_soft_targets(Classification()), takes_soft_targets(Regression())
    (True, False)
    """
    for kind in type(task).__mro__:
        if "soft_targets" in vars(kind):
            return task.soft_targets
        if "loss" in vars(kind) or "weight" in vars(kind):
            return False
    return False


def sample_weight(batch: Batch) -> Tensor | None:
    """What each sample weighs, [B]: the third column, or the one named ``weight``; None: there is none."""
    if named(batch):
        return batch.get("weight")
    return batch[2] if len(batch) > 2 else None


def _same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, (int, float, str, tuple)) and bool(value == default))


def share(weight: int | Tensor, whole: int | Tensor) -> float | Tensor:
    """A micro-batch's part of an update's weight; never waits for a device. Nothing has no part of nothing."""
    if isinstance(whole, Tensor):
        return weight / torch.where(whole == 0, torch.ones_like(whole), whole)
    return weight / whole if whole else 0.0
