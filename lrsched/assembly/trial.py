"""Try a model and a task before anything is written: each must give what the other, and the trainer, ask for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lrsched.config.blame import blamed
from lrsched.config.component import Component
from lrsched.config.targets import within
from lrsched.data.batch import Batch, column, columns, each, named, samples
from lrsched.errors import ConfigError, UserError
from lrsched.machine.operations import Operations
from lrsched.tasks._call import Answers
from lrsched.tasks.task import Task
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision
from lrsched.train.rng import generators_state, set_generators


def initialise_lazy(model: nn.Module, batch: Batch, task: Task, node: Component[Any]) -> None:
    """Give lazy modules their shapes by a batch: an optimizer takes no parameter without one.

    The model is in evaluation mode meanwhile, so that no statistic of a batch is kept.

    Raises:
        ConfigError: the model cannot take such a batch.
    """
    if any(map(is_lazy, [*model.parameters(), *model.buffers()])):
        was_training = model.training
        with torch.no_grad(), blamed(node, _call(batch)):
            task.forward(model.eval(), batch)
        model.train(was_training)
        left = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
        if left:
            rule = f"a batch of {_form(batch)} gave {', '.join(left[:3])} no shape: no such layer was called"
            raise ConfigError(node.key, node.target, rule, "call every lazy layer in forward, or leave it out")


def try_model(
    model: nn.Module, batch: Batch, task: Task, precision: Precision, node: Component[Any], asked: Component[Any]
) -> float | None:
    """Train and evaluate a copy of the model on a batch: neither the model nor a random generator notices.

    Args:
        model: its output should be what the task asks for.
        batch: of training samples, as the model gets them.
        task: of the run.
        precision: the arithmetic of the run.
        node, asked: of the model and of the task, for messages.

    Returns:
        The operations of the forward pass of a sample; None: the model cannot be copied.

    Raises:
        ConfigError: one of the two raises an error, or the model gives something else; names what came, what is wanted.
    """
    try:
        copy = deepcopy(model)
    except UserError:
        raise
    except Exception:  # a model that cannot be copied may be a good one: its first update tells
        return None
    device = next(iter(columns(batch).values())).device
    generators = generators_state(device)
    try:
        for training in (True, False):
            with blamed(node, _call(batch)), precision():
                output: Any = task.forward(copy.train(training), batch)
            _check_output(output, batch, task, training and _trains(copy), node)
        with blamed(asked, _call(batch)), precision(), Operations() as counted:  # the model can be called
            loss: Any = task.loss(copy.train(), batch)
            _check_loss(loss, asked, _trains(copy), node)
        _go_back(loss, node, asked)
        with blamed(asked, _call(batch)), precision():
            weight: Any = task.weight(batch)
            _check_weight(weight, asked)
            twice = each(batch, lambda column: torch.cat([column, column]))
            with torch.inference_mode():
                found: list[Any] = [task.measure(copy.eval(), some) for some in (batch, twice)]
        _check_sums(found, asked)
        _check_metrics(found[0], float(weight), task, asked)
        return counted.total / samples(batch)
    finally:
        set_generators(generators, device)


def try_metrics(
    model: nn.Module, batch: Batch, task: Task, precision: Precision, named: NamedMetrics | None, asked: Component[Any]
) -> None:
    """Evaluate metrics that are named on a batch, twice, with a copy of the model: nothing notices.

    Args:
        model, batch, task, precision, asked: as for :func:`try_model`.
        named: the metrics; None: there are none.

    Raises:
        ConfigError: a metric cannot be given what this task has, or the task calls its model in another way.
    """
    if named is None:
        return
    try:
        copy = deepcopy(model).eval()
    except Exception:  # its first evaluation tells
        return
    device = column(batch, 0).device
    generators = generators_state(device)
    try:
        with torch.inference_mode(), named.listening(copy), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of so few samples
            for _ in range(2):
                with precision():
                    task.measure(copy, batch)
                with blamed(asked, "trainer.metrics are given what forward() gives for the model's first answers:"):
                    named.update(task, batch)
            named.compute()
    finally:
        set_generators(generators, device)


def try_ensemble(model: nn.Module, batch: Batch, task: Task, precision: Precision, asked: Component[Any]) -> None:
    """Ask a task for an ensemble of a model with itself on a batch, with a copy of it: nothing notices.

    Args:
        model, batch, task, precision, asked: as for :func:`try_model`.

    Raises:
        ConfigError: it makes none that it can measure; names what came.
    """
    remedy = "write ensemble(outputs, batch) in the task, or give checkpoint.snapshots=0"
    device = next(iter(columns(batch).values())).device
    generators, copy = generators_state(device), deepcopy(model).eval()
    try:
        with torch.inference_mode(), precision(), blamed(asked, "its ensemble() raised", remedy):
            output = task.forward(copy, batch)
            merged: Any = task.ensemble([output, output], batch)
            wanted = task.complaint(merged, batch)
            if wanted:
                raise ConfigError(
                    asked.key, asked.target, f"its ensemble() gives {_shown(merged)}, and {wanted}", remedy
                )
            model_of = Answers(copy, [merged])
            found: list[Any] = [task.measure(copy, batch), task.measure(model_of, batch)]  # type: ignore[arg-type]
            if not model_of.called:
                rule = "its measure() looks at the model itself, which an ensemble has not"
                raise ConfigError(asked.key, asked.target, rule, "give checkpoint.snapshots=0")
            task.compared(output, batch)
        _check_sums(found, asked)
    finally:
        set_generators(generators, device)


def _trains(model: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in model.parameters())


def _check_output(output: Any, batch: Batch, task: Task, needs_gradient: bool, node: Component[Any]) -> None:
    wanted = task.complaint(output, batch)
    if wanted:
        _refuse(node, f"its forward gives {_shown(output)}, and {wanted}", task.remedy(output, batch))
    elif needs_gradient and isinstance(output, Tensor) and not output.requires_grad:
        _refuse(node, *CUT_OFF)


CUT_OFF = (
    "its output does not depend on any parameter that trains: no gradient can flow back",
    "let forward use its parameters, without detach() or no_grad()",
)


def _check_loss(loss: Any, asked: Component[Any], needs_gradient: bool, node: Component[Any]) -> None:
    """Refuse what is no loss: the task is its author's."""
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        rule = f"its loss() gives {_shown(loss)}, and one number is wanted, the mean over the batch"
        raise ConfigError(asked.key, asked.target, rule, "average it, as by .mean()")
    if needs_gradient and not loss.requires_grad:
        _refuse(node, *CUT_OFF)


def _go_back(loss: Tensor, *nodes: Component[Any]) -> None:
    """Try the backward pass of a model or a task of a user's own; its errors do not pass their lines."""
    theirs = next((node for node in nodes if not within(node.cls.__module__, ("lrsched", "torch"))), None)
    if theirs is not None and loss.requires_grad:
        with blamed(theirs, "the backward pass raised"):
            loss.backward()


def _check_weight(weight: Any, asked: Component[Any]) -> None:
    right = isinstance(weight, Tensor) and weight.numel() == 1 and not weight.is_complex()
    if not (right or isinstance(weight, Real)):
        rule = f"its weight() gives {_shown(weight)}, and one number is wanted, what the batch counts"
        raise ConfigError(asked.key, asked.target, rule, "add up, as by .sum()")
    if not 0 <= float(weight) < float("inf"):
        raise ConfigError(asked.key, asked.target, f"its weight() gives {float(weight)}, and a batch weighs 0 or more")


def _check_sums(found: list[Any], asked: Component[Any]) -> None:
    """Refuse what cannot be added over the batches of an evaluation; the second batch is the first one twice."""
    for sums in found:
        if not isinstance(sums, Mapping) or not all(isinstance(total, Tensor) for total in sums.values()):
            named = {f"{_shown(total)} for {name}" for name, total in sums.items()} if isinstance(sums, Mapping) else ()
            said = ", ".join(sorted(named)) or _shown(sums)
            rule = f"its measure() gives {said}, and a tensor for each name is wanted, a sum over the batch"
            raise ConfigError(asked.key, asked.target, rule)
    for name, total in found[0].items():
        other = found[1].get(name)
        if other is None or other.shape != total.shape:
            rule = (
                f"its measure() gives {name} as {_shown(total)} for a batch, and {_shown(other)} for one twice as large"
            )
            raise ConfigError(asked.key, asked.target, rule, "add over the samples, as by .sum(0)")


def _check_metrics(sums: Mapping[str, Tensor], weight: float, task: Task, asked: Component[Any]) -> None:
    """Refuse metrics that are no numbers, or that no direction is known of; a batch that counts nothing has none."""
    if not weight:
        return
    with blamed(asked, "its metrics() raised"):
        metrics: Any = task.metrics({name: total.double().cpu() for name, total in sums.items()}, weight)
    if not isinstance(metrics, Mapping) or set(metrics) != set(task.better):
        shown = ", ".join(map(str, metrics)) if isinstance(metrics, Mapping) else _shown(metrics)
        rule = f"its metrics() gives {shown}, and its better names {', '.join(task.better)}"
        raise ConfigError(asked.key, asked.target, rule, "both must name the same metrics")
    for name, value in metrics.items():
        if not isinstance(value, Real):
            rule = f"its metrics() gives {_shown(value)} as {name}, and a number is wanted"
            raise ConfigError(asked.key, asked.target, rule, "make it one, as by float()")


def _shown(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of {str(output.dtype).removeprefix('torch.')} of shape {list(output.shape)}"
    if isinstance(output, dict):
        return f"a dict with {', '.join(map(repr, list(output)[:5]))}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}"
    return "nothing" if output is None else f"a {type(output).__name__}"


def _form(batch: Batch) -> str:
    if not named(batch):
        return f"shape {list(column(batch, 0).shape)}"
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in batch.items())


def _call(batch: Batch) -> str:
    return f"cannot be called with a batch of {_form(batch)}:"


def _refuse(node: Component[Any], rule: str, remedy: str) -> None:
    raise ConfigError(node.key, node.target, rule, remedy)
