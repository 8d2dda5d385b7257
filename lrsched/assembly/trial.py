"""Try a model before anything is written: its output must be logits that can be trained."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parameter import is_lazy

from lrsched.assembly.memory import is_out_of_memory
from lrsched.config.component import Component
from lrsched.errors import ConfigError, UserError
from lrsched.train.precision import Precision
from lrsched.train.rng import generators_state, set_generators


def initialise_lazy(model: nn.Module, x: Tensor, node: Component[Any]) -> None:
    """Give lazy modules their shapes by a batch: an optimizer takes no parameter without one.

    The model is in evaluation mode meanwhile, so that no statistic of a batch is kept.

    Raises:
        ConfigError: the model cannot take such a batch.
    """
    if any(map(is_lazy, [*model.parameters(), *model.buffers()])):
        was_training = model.training
        with torch.no_grad(), _named(node, x):
            model.eval()(x)
        model.train(was_training)
        left = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
        if left:
            rule = f"a batch of shape {list(x.shape)} gave {', '.join(left[:3])} no shape: no such layer was called"
            raise ConfigError(node.key, node.target, rule, "call every lazy layer in forward, or leave it out")


def try_model(model: nn.Module, x: Tensor, classes: int, precision: Precision, node: Component[Any]) -> None:
    """Train and evaluate a copy of the model on a batch: neither the model nor a random generator notices.

    Args:
        model: its output should be [N, ``classes``].
        x: [N, C, H, W], as the model gets it in training.
        classes: of the data.
        precision: the arithmetic of the run.
        node: of the model, for messages.

    Raises:
        ConfigError: it raises an error, or gives something else; names what came and what is wanted.
    """
    try:
        copy = deepcopy(model)
    except UserError:
        raise
    except Exception:  # a model that cannot be copied may be a good one: its first update tells
        return
    generators = generators_state(x.device)
    try:
        for training in (True, False):
            with _named(node, x), precision():
                output: Any = copy.train(training)(x)
            _check_logits(output, (len(x), classes), training and _trains(copy), node)
            with _named(node, x):
                cross_entropy(output, torch.zeros(len(x), dtype=torch.int64, device=x.device))
    finally:
        set_generators(generators, x.device)


def _trains(model: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in model.parameters())


def _check_logits(output: Any, shape: tuple[int, int], needs_gradient: bool, node: Component[Any]) -> None:
    wanted = f"logits are wanted, one tensor of floats of shape [samples, classes], here {list(shape)}"
    if not isinstance(output, Tensor):
        _refuse(node, f"its forward gives {_shown(output)}, and {wanted}", "return the logits alone")
    elif output.shape != shape or not output.is_floating_point():
        remedy = "take the number of its outputs from the argument classes" if output.shape != shape else ""
        _refuse(node, f"its forward gives {_shown(output)}, and {wanted}", remedy)
    elif needs_gradient and not output.requires_grad:
        rule = "its output does not depend on any parameter that trains: no gradient can flow back"
        _refuse(node, rule, "let forward use its parameters, without detach() or no_grad()")


def _shown(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of {str(output.dtype).removeprefix('torch.')} of shape {list(output.shape)}"
    if isinstance(output, dict):
        return f"a dict with {', '.join(map(repr, list(output)[:5]))}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}"
    return "nothing" if output is None else f"a {type(output).__name__}"


@contextmanager
def _named(node: Component[Any], x: Tensor) -> Generator[None]:
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
        rule = f"cannot be called with a batch of shape {list(x.shape)}: {type(error).__name__}: {reason}"
        raise ConfigError(node.key, node.target, f"{rule} (line {last.lineno} of {last.filename})") from error


def _refuse(node: Component[Any], rule: str, remedy: str) -> None:
    raise ConfigError(node.key, node.target, rule, remedy)
