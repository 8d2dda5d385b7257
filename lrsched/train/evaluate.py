"""Evaluate a model by its task, over one pass. The one place that computes metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lrsched.config.blame import called
from lrsched.data.batch import Batch
from lrsched.errors import ConfigError, NotFinite
from lrsched.optimizers.switching import switches
from lrsched.tasks.task import Task
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision


class Sums:
    """What a task measures, added over batches in float64 on the device; the host waits once, at the end."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sums: dict[str, Tensor] = {}
        self._weight: int | Tensor = 0

    def add(self, model: nn.Module, batch: Batch) -> None:
        """Measure a batch."""
        sums = self._sums
        for name, value in self._task.measure(model, batch).items():
            sums[name] = sums[name] + value.double() if name in sums else value.double()
        self._weight = self._weight + self._task.weight(batch)

    def metrics(self) -> dict[str, float]:
        """The task's metrics, of all batches so far."""
        sums = {name: total.cpu() for name, total in self._sums.items()}
        return self._task.metrics(sums, float(self._weight))


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    task: Task,
    precision: Precision,
    prefix: str,
    named: NamedMetrics | None = None,
) -> dict[str, float]:
    """The task's metrics and those that are named, each as ``{prefix}/NAME``.

    Raises:
        NotFinite: a metric is not a finite number.
    """
    was_training = model.training
    model.eval()
    sums = Sums(task)
    others: dict[str, float] = {}
    try:
        with nullcontext() if named is None else named.listening(model):
            for batch in batches:
                with called(model, batch, f"an evaluation on {prefix}"), precision():
                    sums.add(model, batch)
                if named is not None:
                    named.update(task, batch)
            others = {} if named is None else named.compute()
    finally:  # a signal may cut it short
        model.train(was_training)
    metrics = {**sums.metrics(), **others}
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NotFinite(f"{prefix}/{name} is {value}")
    return {f"{prefix}/{name}": value for name, value in metrics.items()}


RENEWED = 10_000
"""Training samples by which batch norm is given the statistics of weights at rest, where updates are made at others."""


def batches_at_rest(optimizer: Optimizer | type, model: nn.Module, batch_size: int) -> int:
    """How many batches of training samples give weights at rest their statistics; 0: those of updates are theirs.

    Raises:
        ConfigError: batches of a single sample, which have no statistics.
    """
    if not (switches(optimizer) and any(map(has_statistics, model.modules()))):
        return 0
    if batch_size == 1:
        rule = "gives batch norm no statistics, and those of updates are of other weights than are evaluated"
        raise ConfigError("dataset.eval_batch_size", 1, rule, "give another size")
    return -(-RENEWED // batch_size)


def has_statistics(layer: nn.Module) -> bool:
    """Whether a layer of batch norm keeps the statistics of what it was given."""
    return isinstance(layer, _BatchNorm) and layer.track_running_stats
