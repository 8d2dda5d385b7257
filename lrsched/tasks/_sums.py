"""Sums that tasks share: cross-entropy over the labels that count, and outputs that must meet their targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lrsched.errors import UNSET, ConfigError
from lrsched.tasks.task import Task

_NONE = -100
"""PyTorch's own ignored label; checked labels are never negative."""


def numbers(values: Sequence[float], like: Tensor) -> Tensor:
    """Numbers as a tensor of the type of another and on its device, without waiting for the device."""
    return torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)


def full_precision(output: Tensor) -> Tensor:
    """At least float32: what autocast made shorter is made long again."""
    return output.float() if output.dtype in (torch.float16, torch.bfloat16) else output


def cross_entropy_sum(
    logits: Tensor,
    y: Tensor,
    *,
    class_weights: Sequence[float] | None = None,
    ignore: int | None = None,
    sample: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Sum of the weighted cross-entropies.

    Args:
        logits: [P, classes].
        y: int64 [P], or the shares of classes, float [P, classes].
        class_weights: what a label of each class weighs.
        ignore: a label that counts nowhere.
        sample: what each label weighs besides, [P].
        smoothing: share of the target that is spread over all classes.
    """
    each = None if class_weights is None else numbers(class_weights, logits)
    given: dict[str, Any] = {"label_smoothing": smoothing}
    if not y.is_floating_point():
        given["ignore_index"] = _NONE if ignore is None else ignore
    if sample is None:
        return cross_entropy(logits, y, each, reduction="sum", **given)
    losses = cross_entropy(logits, y, each, reduction="none", **given)
    return (losses * sample.to(losses.dtype)).sum()


def counted(
    y: Tensor, *, class_weights: Sequence[float] | None, ignore: int | None, sample: Tensor | None
) -> int | Tensor:
    """What labels int64 [P] weigh together; a plain number, without looking at them, where all weigh 1.

    Shares of classes, float [P, classes], weigh the mean of the classes' weights.
    """
    if class_weights is None and ignore is None:
        return len(y) if sample is None else sample.sum()
    if y.is_floating_point():
        weight = y.sum(1) if class_weights is None else y @ numbers(class_weights, y)
        return (weight if sample is None else weight * sample).sum()
    weight = torch.ones_like(y, dtype=torch.float32 if class_weights or sample is not None else torch.int64)
    if class_weights is not None:
        weight = numbers(class_weights, weight)[y.clamp(0, len(class_weights) - 1)]
    if sample is not None:
        weight = weight * sample
    if ignore is not None:
        weight = torch.where(y == ignore, torch.zeros_like(weight), weight)
    return weight.sum()


def spread(weight: Tensor | None, y: Tensor) -> Tensor | None:
    """The weight of each sample, [B], for each of its labels: [P], as ``y`` [B, …] is flattened."""
    return None if weight is None else weight.reshape(-1, *[1] * (y.ndim - 1)).expand_as(y).flatten()


def mean(total: float | Tensor, weight: float) -> float:
    """A sum over its weight; not a number where nothing counted, which an evaluation refuses."""
    return float(total) / weight if weight else math.nan


def over(total: Tensor, weight: int | Tensor) -> Tensor:
    """A sum over its weight on the device; 0 where nothing counts."""
    if isinstance(weight, int):
        return total / max(weight, 1)
    return total / torch.where(weight == 0, torch.ones_like(weight), weight)


def r_squared(sums: Mapping[str, Tensor], weight: float, centre: float | Tensor) -> float:
    """1 − Σ(y − ŷ)²/Σ(y − ȳ)², the mean over targets; sums of more than one dimension are one target.

    Where y is constant up to rounding: 1 if every ŷ is exact, or else 0.

    Args:
        sums: float64, for each target: ``square`` Σ(y − ŷ)², ``centred`` Σ(y − centre) and ``centred_square``, its
            squares. With a centre near the mean, nothing cancels.
        weight: of the samples.
        centre: one number, or one a target.
    """
    square, first, second = sums["square"], sums["centred"], sums["centred_square"]
    if square.ndim > 1:  # about one centre for all
        shift = centre - centre.mean() if isinstance(centre, Tensor) else 0.0
        second = (second + 2 * shift * first + weight * shift**2).sum()
        first, square, weight = (first + weight * shift).sum(), square.sum(), weight * square.numel()
    if not weight:
        return math.nan
    spread = second - first**2 / weight
    constant = spread <= 1e-12 * second
    return float(torch.where(constant, (square == 0).double(), 1 - square / spread).mean())


def shape_complaint(output: Any, y: Tensor, what: str) -> str:
    """What is wanted where an output is no tensor of floats of the targets' shape; [B, 1] meets [B]."""
    shape = list(y.shape)
    if isinstance(output, Tensor) and output.is_floating_point() and list(output.shape) in (shape, _column(shape)):
        return ""
    also = f" or {_column(shape)}" if y.ndim == 1 else ""
    return f"{what} are wanted, one tensor of floats of the shape of the targets, here {shape}{also}"


def aligned(output: Tensor, y: Tensor) -> Tensor:
    """An output in the shape of its targets, in full precision: [B, 1] meets [B], and nothing is broadcast.

    Raises:
        ConfigError: any other shape.
    """
    if output.shape != y.shape:
        if list(output.shape) != _column(list(y.shape)):
            rule = f"gives {list(output.shape)} for targets {list(y.shape)}; the shapes must be the same"
            raise ConfigError("model", UNSET, rule)
        output = output.squeeze(1)
    return full_precision(output)


def leave_out(task: Task, *names: str) -> None:
    """Take metrics out of what this very task measures: its class names all that there may be."""
    object.__setattr__(task, "better", {name: way for name, way in task.better.items() if name not in names})


def _column(shape: list[int]) -> list[int] | None:
    return [*shape, 1] if len(shape) == 1 else None
