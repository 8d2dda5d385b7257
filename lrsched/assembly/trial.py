"""Try a model before anything is written: its output must be what the task asks for, and can be trained."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lrsched.assembly.memory import is_out_of_memory
from lrsched.config.component import Component
from lrsched.data.batch import Batch, column
from lrsched.errors import ConfigError, UserError
from lrsched.tasks.task import Task
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
        with torch.no_grad(), _named(node, batch):
            task.forward(model.eval(), batch)
        model.train(was_training)
        left = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
        if left:
            rule = f"a batch of {_form(batch)} gave {', '.join(left[:3])} no shape: no such layer was called"
            raise ConfigError(node.key, node.target, rule, "call every lazy layer in forward, or leave it out")


def try_model(
    model: nn.Module, batch: Batch, task: Task, precision: Precision, node: Component[Any], asked: Component[Any]
) -> None:
    """Train and evaluate a copy of the model on a batch: neither the model nor a random generator notices.

    Args:
        model: its output should be what the task asks for.
        batch: of training samples, as the model gets them.
        task: of the run.
        precision: the arithmetic of the run.
        node, asked: of the model and of the task, for messages.

    Raises:
        ConfigError: one of the two raises an error, or the model gives something else; names what came, what is wanted.
    """
    try:
        copy = deepcopy(model)
    except UserError:
        raise
    except Exception:  # a model that cannot be copied may be a good one: its first update tells
        return
    device = column(batch, 0).device
    generators = generators_state(device)
    try:
        for training in (True, False):
            with _named(node, batch), precision():
                output: Any = task.forward(copy.train(training), batch)
            _check_output(output, batch, task, training and _trains(copy), node)
        with _named(asked, batch), precision():  # the model can be called, as was seen
            loss: Any = task.loss(copy.train(), batch)
            _check_loss(loss, asked, _trains(copy), node)
            task.measure(copy.eval(), batch)
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


def _shown(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of {str(output.dtype).removeprefix('torch.')} of shape {list(output.shape)}"
    if isinstance(output, dict):
        return f"a dict with {', '.join(map(repr, list(output)[:5]))}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}"
    return "nothing" if output is None else f"a {type(output).__name__}"


def _form(batch: Batch) -> str:
    return f"shape {list(column(batch, 0).shape)}"


@contextmanager
def _named(node: Component[Any], batch: Batch) -> Generator[None]:
    """Whatever the model raises is an error of its author's, shown with the line that it comes from."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        rule = f"cannot be called with a batch of {_form(batch)}: {type(error).__name__}: {reason}"
        raise ConfigError(node.key, node.target, f"{rule} (line {last.lineno} of {last.filename})") from error


def _refuse(node: Component[Any], rule: str, remedy: str) -> None:
    raise ConfigError(node.key, node.target, rule, remedy)
