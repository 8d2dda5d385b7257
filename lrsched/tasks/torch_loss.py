"""Any loss of PyTorch's that takes an output and a target."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from lrsched.data.batch import Batch, column, samples
from lrsched.data.data import is_whole
from lrsched.errors import ConfigError, NotMeant, nearest
from lrsched.tasks._checks import check_smoothed
from lrsched.tasks._ensembles import of_classes, of_decisions, of_logarithms, of_numbers
from lrsched.tasks._sums import aligned, counted, full_precision, numbers, over, shape_complaint, spread
from lrsched.tasks._torch_losses import (
    DIVERGENCE,
    IGNORED,
    INDICES,
    LABELLED,
    NOT_TAKEN,
    ONE_LABEL,
    REFUSED,
    TENSORS,
    check_torch_targets,
)
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class TorchLoss(Task):
    """A loss of ``torch.nn`` between the model's output and the target, as ``task=torch/HuberLoss``.

    The mean is over samples, and for CrossEntropyLoss and NLLLoss over the labels that count, each with the weight of
    its class: so it is that of one batch however the batch is cut up. A third column ``weight`` [B] weighs samples.
    Outputs and targets are of one shape, [B, 1] meets [B], and nothing is broadcast. The only metric is the loss.

    Args:
        cls: the class.
        arguments: for it, by name, sorted; lists as tuples.

    Raises:
        ConfigError: a loss of other inputs, or an argument that it cannot be made with.

    >>> loss = loss_task(nn.HuberLoss, {"delta": 2.0})
    >>> loss.loss(nn.Identity(), (torch.tensor([[5.0]]), torch.tensor([1.0])))  # 2·(4 − 2/2)
    tensor(6.)
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min"}
    soft_targets: ClassVar[bool] = False
    """CrossEntropyLoss takes them, where no label is ignored."""

    cls: type[nn.Module]
    arguments: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        name = self.cls.__name__
        if name in REFUSED:
            raise ConfigError("_target_", f"torch.nn.{name}", f"{REFUSED[name]}; a loss takes an output and a target")
        offered = [word for word in inspect.signature(self.cls).parameters if word not in NOT_TAKEN]
        for key, value in self.arguments:
            if key not in offered:
                raise NotMeant(key, value, f"{name} takes no such argument", nearest(key, offered))
            if key == "reduction" and value not in (("mean", "batchmean") if name == DIVERGENCE else ("mean",)):
                raise ConfigError(key, value, "must be mean: an update follows the mean over its whole batch")
            if key in TENSORS and value is not None and not all(map(_is_number, _several(value))):
                raise ConfigError(key, value, "must be a list of numbers, one for each class or target")
        named = dict(self.arguments)
        check_smoothed("weight", named.get("weight"), named.get("label_smoothing", 0.0))
        ignores = named.get("ignore_index", IGNORED) != IGNORED
        object.__setattr__(self, "soft_targets", name == "CrossEntropyLoss" and not ignores)
        try:
            self._module(torch.zeros(()))
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError("_target_", f"torch.nn.{name}", f"cannot be made so: {error}") from error

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The loss as PyTorch has it; 0 where nothing counts."""
        output, y = self._meet(self.forward(model, batch), column(batch, 1))
        weight = self.weight(batch)
        if isinstance(weight, int):
            return self._mean(output, y)
        return over(self._sum(output, y, batch), weight)

    def weight(self, batch: Batch) -> int | Tensor:
        """Samples, or labels that count, or the sum of their weights."""
        y, sample = column(batch, 1), sample_weight(batch)
        if not self._labelled(y):
            return samples(batch) if sample is None else sample.sum()
        named = dict(self.arguments)
        each, ignore = named.get("weight"), named.get("ignore_index", IGNORED)
        return counted(y.flatten().long(), class_weights=each, ignore=ignore, sample=spread(sample, y))

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The loss over the batch's weight."""
        return {"loss": self.loss(model, batch).double() * self.weight(batch)}

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """One output a class, or else a target."""
        name = "classes" if self.cls.__name__ in ONE_LABEL else "targets"
        return {"outputs": facts[name], **facts} if name in facts else facts

    def check(self, data: Data) -> None:
        """Require targets that the loss is defined for."""
        check_torch_targets(self.cls.__name__, dict(self.arguments), data)

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require the shape of the targets, or [B, classes, …] for labels [B, …]."""
        y = column(batch, 1)
        if self.cls.__name__ not in ONE_LABEL or y.is_floating_point():
            return shape_complaint(output, y, "outputs")
        right = isinstance(output, Tensor) and output.is_floating_point() and output.ndim == y.ndim + 1
        if right and [len(output), *output.shape[2:]] == list(y.shape):
            return ""
        after = "".join(f", {n}" for n in y.shape[1:])
        return f"outputs are wanted, one tensor of floats of shape [samples, classes{after}]"

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say where the number of outputs is."""
        if not isinstance(output, Tensor):
            return "return the outputs alone"
        return "take the number of its outputs from the argument outputs"

    def ensemble(self, outputs: Sequence[Any], batch: Batch) -> Tensor:
        """The mean of the probabilities in the form that the loss takes, or of the outputs."""
        name = self.cls.__name__
        if name == "CrossEntropyLoss":
            return of_classes(outputs, dim=1)
        if name in ("NLLLoss", DIVERGENCE):
            return of_logarithms(outputs)
        return of_decisions(outputs) if name == "BCEWithLogitsLoss" else of_numbers(outputs)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Probabilities where the loss takes logits or their logarithms, or else the output; and the targets."""
        output, y = self._meet(output, column(batch, 1))
        name = self.cls.__name__
        if name in ONE_LABEL and not y.is_floating_point():
            return (output.exp() if "NLL" in name else output.softmax(1) if "Entropy" in name else output), y
        return (output.sigmoid(), y.long()) if name == "BCEWithLogitsLoss" else (output, y)

    @property
    def ignored(self) -> int | None:
        """The label that counts nowhere, where targets are one class each."""
        one = self.cls.__name__ in ONE_LABEL
        return dict(self.arguments).get("ignore_index", IGNORED) if one else None

    def _labelled(self, y: Tensor) -> bool:
        return self.cls.__name__ in LABELLED and is_whole(y)

    def _meet(self, output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Output and target in the types and the shape that the loss takes."""
        if self.cls.__name__ == INDICES:
            return aligned(output, y), y.long()
        if self.cls.__name__ in ONE_LABEL and is_whole(y):
            return full_precision(output), y.long()
        output = aligned(output, y)
        return output, y.to(output.dtype)

    def _sum(self, output: Tensor, y: Tensor, batch: Batch) -> Tensor:
        """Sum of what each sample or label loses, with its weight."""
        sample = sample_weight(batch)
        if sample is None:
            return self._module(output, "sum")(output, y)
        losses = self._module(output, "none")(output, y)
        each = losses.reshape(len(losses), -1)
        each = each.sum(1) if self._labelled(y) or self._by_sample() else each.mean(1)
        return (each * sample.to(each.dtype)).sum()

    def _mean(self, output: Tensor, y: Tensor) -> Tensor:
        if self.cls.__name__ != DIVERGENCE:
            return self._module(output)(output, y)
        # PyTorch warns of its mean over all numbers, which is to become one over samples.
        return self._module(output, "sum")(output, y) / (len(output) if self._by_sample() else output.numel())

    def _by_sample(self) -> bool:
        return dict(self.arguments).get("reduction") == "batchmean"

    def _module(self, like: Tensor, reduction: str = "mean") -> nn.Module:
        """The loss itself."""
        given = {name: value for name, value in self.arguments if name != "reduction"}
        tensors = {name: numbers(_several(given[name]), like) for name in TENSORS if given.get(name) is not None}
        return self.cls(**{**given, **tensors, "reduction": reduction})


def _several(value: Any) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def task_class(cls: type) -> type[Task]:
    """The task that a class stands for: itself, or :class:`TorchLoss` for a loss of PyTorch's.

    Raises:
        ConfigError: it is neither, or a loss that takes other things than an output and a target.
    """
    if issubclass(cls, Task):
        return cls
    if not issubclass(cls, _Loss):
        raise ConfigError("_target_", cls.__name__, "is no task, and no loss of torch.nn")
    if cls.__name__ in REFUSED:
        TorchLoss(cls=cls)
    return TorchLoss


def loss_task(cls: type, arguments: Mapping[str, Any]) -> TorchLoss:
    """Make the task that a loss of PyTorch's stands for.

    Args:
        cls: the loss.
        arguments: for it, by name, from the config.

    Raises:
        ConfigError: an argument that it cannot be made with.
    """
    frozen = {name: tuple(value) if isinstance(value, (list, tuple)) else value for name, value in arguments.items()}
    return TorchLoss(cls=cls, arguments=tuple(sorted(frozen.items())))
