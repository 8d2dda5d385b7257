"""Average the weights of a run as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lrsched.averages.base import Average, Mean, Table
from lrsched.config.component import Component
from lrsched.data.batch import Batch, samples
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.ranks.agreement import together
from lrsched.ranks.world import ALONE, World
from lrsched.records import AVERAGE
from lrsched.signals import StopFlag
from lrsched.tasks.task import Task
from lrsched.train.evaluate import evaluate, has_statistics
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision

if TYPE_CHECKING:
    from lrsched.train.state import RunState


class Averaged:
    """A model with the average of another one's weights; see :class:`lrsched.averages.base.Mean`.

    Its buffers of floats are averaged like the weights; others are those of the model.

    Args:
        average: of the run.
        table: of the average, over the run's horizon.
        model: whose weights are averaged; a copy of it holds the average.
        renewing: training samples, as the model is given them without random changes, that give the average the
            statistics of batch norm; None: statistics are averaged.

    Raises:
        ConfigError: the model cannot be copied.
    """

    def __init__(
        self, average: Average, table: Table, model: nn.Module, renewing: Iterable[Batch] | None = None
    ) -> None:
        self.average, self._table, self._samples = average, table.tolist(), renewing
        try:
            self.model = deepcopy(model).requires_grad_(False).eval()
        except Exception as error:
            name = type(model).__name__
            rule = f"copies the model, and {name} cannot be copied: {type(error).__name__}: {error}"
            raise ConfigError("average", type(average).__name__, rule, "give average=none") from error
        self._mine, self._theirs = _Pieces(self.model), _Pieces(model)
        self.takes = int((table > 0).sum())  # in the whole run
        self._count = 0.0  # of what was taken: the sum of its numbers
        self._window: list[dict[str, Tensor]] = []

    @property
    def began(self) -> bool:
        """Whether any weights were taken yet."""
        return self._count > 0

    @torch.no_grad()
    def update(self, model: nn.Module, place: int) -> None:
        """Take the model's weights into the average, as the table says.

        Args:
            model: after an update.
            place: of that update in the run's plan.
        """
        number = self._table[min(place, len(self._table) - 1)]
        if not number:
            return
        if self._theirs.model is not model:
            self._theirs = _Pieces(model)
        mine, theirs = self._mine, self._theirs
        if self.average.mean is Mean.WINDOW:
            self._slide(theirs)
        elif self._count:
            rate = number if self.average.mean is Mean.MOVING else number / (self._count + number)
            torch._foreach_lerp_(mine.floats, theirs.floats, rate)  # type: ignore[reportPrivateImportUsage]
        else:
            torch._foreach_copy_(mine.floats, theirs.floats)  # type: ignore[reportPrivateImportUsage]
        self._count += number
        for own, other in zip(mine.others, theirs.others, strict=True):
            own.copy_(other)

    def _slide(self, newest: _Pieces) -> None:
        """Let the oldest weights go, and make the mean of the others and these."""
        copies = {name: tensor.clone() for name, tensor in zip(newest.names, newest.floats, strict=True)}
        self._window = [*self._window, copies][-self.average.size :]
        first, *others = (list(held.values()) for held in self._window)
        torch._foreach_copy_(self._mine.floats, first)  # type: ignore[reportPrivateImportUsage]
        for number, held in enumerate(others, start=2):
            torch._foreach_lerp_(self._mine.floats, held, 1 / number)  # type: ignore[reportPrivateImportUsage]

    def renew(self, task: Task, precision: Precision, stop: StopFlag) -> None:
        """Give batch norm its statistics, if there are samples for it; see :func:`renew`."""
        if self._samples is not None:
            renew(self.model, stop.watch(self._samples), task, precision)

    def state_dict(self) -> dict[str, Any]:
        """The average, and what goes on with it."""
        window = [dict(held) for held in self._window]
        return {"model": self.model.state_dict(), "count": self._count, "window": window}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what :meth:`state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self._count = float(state["count"])
        names, floats = self._mine.names, self._mine.floats
        self._window = [
            {name: held[name].to(like.device, copy=True) for name, like in zip(names, floats, strict=True)}
            for held in state["window"]
        ]


def build_average(
    node: Component[None],
    horizon: Horizon,
    model: nn.Module,
    in_order: Callable[[str, int], Iterable[Batch]],
    batch_size: int,
) -> Averaged:
    """The average of a model's weights that is asked for.

    Args:
        node: of the config.
        horizon: of the run.
        model: of the run.
        in_order: gives at most so many batches of a part, without random changes.
        batch_size: of these batches.

    Raises:
        ConfigError: it does not fit the run's length, or the model cannot be copied.
    """
    average, table = table_of(node, horizon)
    batches = batches_to_renew(average, model, batch_size)
    try:
        if batches and batch_size == 1:
            rule = "gives batch norm the statistics of batches, and with dataset.eval_batch_size=1 these have none"
            raise ConfigError("renew", average.renew, rule, "give another dataset.eval_batch_size, or average.renew=0")
        return Averaged(average, table, model, in_order("train", batches) if batches else None)
    except ConfigError as error:
        raise error.under(node.key) from error


def batches_to_renew(average: Average, model: nn.Module, batch_size: int) -> int:
    """How many batches of training samples give the average its statistics; 0: none."""
    return -(-average.renew // batch_size) if any(map(has_statistics, model.modules())) else 0


@torch.no_grad()
def renew(model: nn.Module, batches: Iterable[Batch], task: Task, precision: Precision) -> None:
    """Give batch norm the statistics that training samples have under averaged weights: a mean over batches.

    Args:
        model: in evaluation mode, with these weights.
        batches: as the model is given them, without random changes.
        task: calls the model.
        precision: the arithmetic of the forward pass.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm) and has_statistics(layer)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean
        layer.train()
    try:
        for batch in batches:
            if samples(batch) == 1:  # what is left over of the others; batch norm takes no statistics of it
                continue
            with precision():
                task.forward(model, batch)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()


def table_of(node: Component[None], horizon: Horizon) -> tuple[Average, Table]:
    """An average of the weights, and its table over a run.

    Raises:
        ConfigError: it does not fit the run's length.
    """
    average = node.build()
    try:
        return average, average.table(horizon)
    except ConfigError as error:
        raise error.under(node.key) from error


def evaluate_both(
    state: RunState,
    task: Task,
    precision: Precision,
    batches: Iterable[Batch],
    prefix: str,
    stop: StopFlag,
    named: NamedMetrics | None = None,
    world: World = ALONE,
) -> dict[str, float]:
    """The metrics of a run's weights, and of their average as soon as there is one.

    Args:
        state: of the run.
        task: of the run.
        precision: the arithmetic of the forward pass.
        batches: of a part of the data, which can be gone through twice.
        prefix: the part, as ``val``.
        stop: looked at before each batch.
        named: metrics beside the task's, or None.
        world: the processes of the run.

    Raises:
        NotFinite: a metric is not a finite number.
        Stopped: a signal came to a process.
    """
    average = state.average
    found = evaluate(state.model, batches, task, precision, prefix, named, stop=stop, world=world)
    if average is None or not average.began:
        return found
    together(world, lambda: average.renew(task, precision, stop))
    prefix += f"/{AVERAGE.rstrip('/')}"
    return found | evaluate(average.model, batches, task, precision, prefix, named, stop=stop, world=world)


class _Pieces:
    """The tensors of a model that a checkpoint holds, each once. A module may put others in their places."""

    def __init__(self, model: nn.Module) -> None:
        self.model, held, seen = model, model.state_dict(), set[int]()
        self._floats: list[tuple[dict[str, Any], str]] = []
        self._others: list[tuple[dict[str, Any], str]] = []
        self.names: list[str] = []
        for above, module in model.named_modules():
            for places in (module._parameters, module._buffers):
                for name, tensor in places.items():
                    whole = f"{above}.{name}" if above else name
                    if tensor is None or whole not in held or id(tensor) in seen:
                        continue
                    seen.add(id(tensor))
                    averaged = tensor.is_floating_point() or tensor.is_complex()
                    (self._floats if averaged else self._others).append((places, name))
                    self.names += [whole] if averaged else []

    @property
    def floats(self) -> list[Tensor]:
        """What is averaged."""
        return [places[name] for places, name in self._floats]

    @property
    def others(self) -> list[Tensor]:
        """Whole numbers."""
        return [places[name] for places, name in self._others]
