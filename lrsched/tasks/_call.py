"""Call a model with a batch: with its input alone, or with those columns that it has parameters for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from inspect import Parameter, signature
from typing import Any

from torch import Tensor, nn

from lrsched.data.batch import TARGETS, Batch, column, columns, named, place

LABELS = "labels"
"""What Hugging Face's models call the target."""


def answered(model: nn.Module, batch: Batch) -> Any:
    """What a model gives for a batch without its target; where that has logits beside others, the logits.

    A tuple's input is the one argument. Of a mapping the model is given, by name, every column but target and weight
    that its forward has a parameter for, as ``forward(self, input_ids, attention_mask)``; where it has none for the
    input, the input alone.
    """
    given = by_name(model, batch, without=(*TARGETS, "weight")) if named(batch) else {}
    return logits(model(**given) if given else model(column(batch, 0)))


class Answers:
    """Stands in the place of a model, and gives what the model gave when it was called: each once, in their order.

    Args:
        model: everything else is asked of it.
        given: what it gave.
    """

    def __init__(self, model: nn.Module, given: Iterable[Any]) -> None:
        self._model, self._given, self.called = model, iter(given), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.called += 1
        try:
            return next(self._given)
        except StopIteration:
            raise LookupError("the model is called oftener than it has answers to give again") from None


def logits(output: Any) -> Any:
    """The attribute ``logits`` of an output of several parts, as of Hugging Face's models, or the output itself."""
    return output if isinstance(output, Tensor) else getattr(output, "logits", output)


def part(output: Any, name: str, default: Any = None) -> Any:
    """A part of an output by its name: of a mapping, or an attribute."""
    return output.get(name, default) if isinstance(output, Mapping) else getattr(output, name, default)


def by_name(model: nn.Module, batch: Batch, without: Collection[str] = ()) -> dict[str, Tensor]:
    """Those columns that the model's forward has parameters for; nothing where it has none for the input.

    A target of any name is given as ``labels`` to a model that takes that.

    Args:
        model: of one's own or of Hugging Face.
        batch: a mapping; of a tuple, the input has the name that the model says is its main one.
        without: columns to leave out.
    """
    found = columns(batch)
    if not named(batch):
        found = {getattr(model, "main_input_name", "x"): found.pop("x"), **found}
    taken = parameters(model)
    if place(list(found), 0) not in taken:
        return {}
    target = next((name for name in TARGETS if name in found), LABELS)
    if LABELS in taken and target not in taken and target in found:
        found[LABELS] = found.pop(target)
    return {name: item for name, item in found.items() if name in taken and name not in without}


def parameters(model: nn.Module) -> Collection[str]:
    """The names that a model's forward has for what it is given; ``takes`` of a model that hands it on."""
    told = getattr(model, "takes", None)
    if told is not None:
        return told
    kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return [name for name, found in signature(model.forward).parameters.items() if found.kind in kinds]
