"""Evaluate a model by its task, over one pass. The one place that computes metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from itertools import zip_longest
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lrsched.config.blame import called
from lrsched.data.batch import Batch
from lrsched.errors import ConfigError, NotFinite
from lrsched.optimizers.switching import switches
from lrsched.ranks.agreement import together
from lrsched.ranks.world import ALONE, World
from lrsched.signals import StopFlag
from lrsched.tasks.task import Task
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision


class Sums:
    """What a task measures, added over batches in float64 on the device; the host waits once, at the end."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._sums: dict[str, Tensor] = {}
        self._weight: float | Tensor = 0

    def add(self, model: nn.Module, batch: Batch) -> None:
        """Measure a batch."""
        self.put(self.task.measure(model, batch), self.task.weight(batch))

    def put(self, measured: Mapping[str, Tensor], weight: float | Tensor) -> None:
        """Add what was measured of a batch."""
        sums = self._sums
        for name, value in measured.items():
            sums[name] = sums[name] + value.double() if name in sums else value.double()
        self._weight = self._weight + weight

    def metrics(self) -> dict[str, float]:
        """The task's metrics, of all batches so far."""
        sums = {name: total.cpu() for name, total in self._sums.items()}
        return self.task.metrics(sums, float(self._weight))


class SharedSums(Sums):
    """The same sums where every process measures a share of the batches, to the same bits.

    What was measured of each batch is added in the order of the batches, as one process adds it.

    Args:
        task: measures.
        world: the processes; that of rank r has batch r, r + size, ….
    """

    def __init__(self, task: Task, world: World) -> None:
        super().__init__(task)
        self._world = world
        self._own: list[tuple[Mapping[str, Tensor], float | Tensor]] = []

    def put(self, measured: Mapping[str, Tensor], weight: float | Tensor) -> None:
        self._own.append((measured, weight))

    def metrics(self) -> dict[str, float]:
        """The task's metrics, of the batches of all processes; each of them calls this.

        Raises:
            RankLost: a process has ended.
        """
        own = [({name: value.double().cpu() for name, value in found.items()}, float(w)) for found, w in self._own]
        for row in zip_longest(*self._world.gather(own)):
            for found in filter(None, row):
                super().put(found[0], found[1])
        return super().metrics()


class Shared(Protocol):
    """Batches of a part of the data, of which every process can take its share."""

    def share(self, rank: int, size: int) -> Iterable[Batch]:
        """Every ``size``-th batch, from the one with this number on."""
        ...


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    task: Task,
    precision: Precision,
    prefix: str,
    named: NamedMetrics | None = None,
    *,
    stop: StopFlag | None = None,
    world: World = ALONE,
) -> dict[str, float]:
    """The task's metrics and those that are named, each as ``{prefix}/NAME``.

    Every process measures its share of the batches; with metrics that are named, whose states are their own, all.

    Args:
        model: of the run.
        batches: of a part of the data; for several processes, :class:`Shared` ones.
        task: of the run.
        precision: the arithmetic of the forward pass.
        prefix: the part, as ``val``.
        named: metrics beside the task's, or None.
        stop: looked at before each batch; None: nothing stops it.
        world: the processes of the run.

    Raises:
        NotFinite: a metric is not a finite number.
        Stopped: a signal came to a process.
    """
    shared = world.size > 1 and named is None
    sums = SharedSums(task, world) if shared else Sums(task)
    own = cast(Shared, batches).share(world.rank, world.size) if shared else batches
    looked = own if stop is None else stop.watch(own)
    others = together(world, lambda: _measured(model, looked, sums, precision, prefix, named))
    metrics = {**sums.metrics(), **others}
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NotFinite(f"{prefix}/{name} is {value}")
    return {f"{prefix}/{name}": value for name, value in metrics.items()}


def _measured(
    model: nn.Module,
    batches: Iterable[Batch],
    sums: Sums,
    precision: Precision,
    prefix: str,
    named: NamedMetrics | None,
) -> dict[str, float]:
    """Measure batches, by the task into the sums, and by named metrics."""
    was_training = model.training
    model.eval()
    try:
        with nullcontext() if named is None else named.listening(model):
            for batch in batches:
                with called(model, batch, f"an evaluation on {prefix}"), precision():
                    sums.add(model, batch)
                if named is not None:
                    named.update(sums.task, batch)
            return {} if named is None else named.compute()
    finally:  # a signal may cut it short
        model.train(was_training)


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
