"""Metrics of torchmetrics beside those of the task, fed by the one forward pass of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lrsched.config.blame import blamed
from lrsched.config.metric import HOMES, MetricNode
from lrsched.config.targets import within
from lrsched.data.batch import Batch
from lrsched.errors import ConfigError
from lrsched.tasks._call import Answers
from lrsched.tasks.binary import Binary
from lrsched.tasks.regression import Regression
from lrsched.tasks.task import Direction, Task

FITTING = "is it a metric for this task? F1Score and the like choose by the task; MulticlassF1Score is for classes"
"""What to do about a metric that raises an error."""


class NamedMetrics:
    """The metrics of ``trainer.metrics``: reset before each evaluation, in no checkpoint.

    An evaluation calls the model once a batch. What that call gave goes again through :meth:`Task.forward`, with the
    model's answer in the place of the model, and :meth:`Task.compared` says what a metric is given.

    Args:
        nodes: by the names of the metrics.
        task: of the run.
        facts: of the data.
        device: of the predictions.

    Raises:
        ConfigError: a metric that cannot be made.
    """

    def __init__(
        self, nodes: Mapping[str, MetricNode], task: Task, facts: Mapping[str, Any], device: torch.device
    ) -> None:
        told = facts_of_metrics(task, facts)
        self._nodes, self._outputs, self._model = nodes, list[Any](), nn.Module()
        self._metrics = {name: _by_itself(_made(node, told)).to(device) for name, node in nodes.items()}
        if isinstance(task, Regression):  # which compares in float64: single precision loses the digits of a large mean
            self._metrics = {name: metric.set_dtype(torch.float64) for name, metric in self._metrics.items()}
        self.better: Mapping[str, Direction] = {name: node.way for name, node in nodes.items()}

    @contextmanager
    def listening(self, model: nn.Module) -> Iterator[None]:
        """Around an evaluation: keep what the model gives; forget all of it at the end."""

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            self._outputs.append(output)

        self._model = model
        self._forget()
        hook = model.register_forward_hook(keep)
        try:
            yield
        finally:
            hook.remove()
            self._forget()

    def update(self, task: Task, batch: Batch) -> None:
        """Feed the metrics with the batch that the task has just measured.

        Raises:
            ConfigError: a metric cannot be given such predictions and targets.
        """
        answers, self._outputs = Answers(self._model, self._outputs), []
        predictions, targets = task.compared(task.forward(answers, batch), batch)  # type: ignore[arg-type]
        if not len(predictions):  # every label is the ignored one
            return
        for name, metric in self._metrics.items():
            given = f"predictions {_form(predictions)} and targets {_form(targets)}"
            with blamed(self._nodes[name], f"cannot be given {given}:", FITTING):
                metric.update(predictions, targets)

    def compute(self) -> dict[str, float]:
        """The metrics of all batches since the evaluation began.

        Raises:
            ConfigError: a metric gives something else than one number.
        """
        found: dict[str, float] = {}
        for name, metric in self._metrics.items():
            with blamed(self._nodes[name], "cannot be computed:", FITTING):
                value = metric.compute()
            if isinstance(value, Tensor) and value.ndim == 1 and "num_outputs" in vars(metric):
                value = value.mean()  # over the targets
            if not isinstance(value, Tensor) or value.numel() != 1:
                _refuse(self._nodes[name], value)
            found[name] = float(value)
        return found

    def _forget(self) -> None:
        self._outputs = []
        for metric in self._metrics.values():
            metric.reset()


def _by_itself(metric: Any) -> Any:
    """The same metric, which adds up no other process's state: each of a run's processes measures all batches."""
    for part in metric.modules():
        if hasattr(part, "distributed_available_fn"):
            part.distributed_available_fn = _never
    return metric


def _never() -> bool:
    return False


def facts_of_metrics(task: Task, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that metrics take, as far as task and data tell them."""
    own = {key: value for key, value in vars(task).items() if value is not None}
    tell = {**facts, **own}
    classes = own.get("classes") or own.get("vocabulary") or facts.get("classes")
    targets = tell.get("targets")
    told = {
        "num_classes": classes,
        "num_labels": targets,
        "num_outputs": targets if (targets or 1) > 1 else None,
        "ignore_index": getattr(task, "ignored", tell.get("ignore")),
        "data_range": tell.get("range"),
        "task": "multiclass" if classes is not None else None,
    }
    if isinstance(task, Binary):
        told["task"] = "multilabel" if (targets or 1) > 1 else "binary"
    return {name: value for name, value in told.items() if value is not None}


def _made(node: MetricNode, told: Mapping[str, Any]) -> Any:
    if "task" not in told and within(f"{node.cls.__module__}.", HOMES[:1]):
        rule = "is a metric of classes, or of yes and no, and the targets are numbers"
        raise ConfigError(node.key, node.target, rule, "give a class of torchmetrics.regression")
    made = node.build_for(told)
    node.require_home(type(made))
    return made


def _refuse(node: MetricNode, value: Any) -> None:
    many = f"{value.numel()} numbers" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    average = "average" in node.arguments or hasattr(node.cls, "average")
    remedy = "give it average: macro, or another metric" if average else "give another metric"
    raise ConfigError(node.key, node.target, f"gives {many}, and a row holds one number of each name", remedy)


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
