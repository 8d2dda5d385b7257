"""Outputs of several models for one batch, made one: the mean of what they predict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def of_numbers(outputs: Sequence[Tensor]) -> Tensor:
    """Their mean.

    >>> of_numbers([torch.tensor([1.0]), torch.tensor([4.0])])
    tensor([2.5000])
    """
    return torch.stack([_full(output) for output in outputs]).mean(0)


def of_classes(logits: Sequence[Tensor], dim: int) -> Tensor:
    """The logarithms of the mean of the probabilities, log 1/m·Σ softmax(z_i): they are logits too.

    Args:
        logits: of each model.
        dim: of the classes.

    >>> of_classes([torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 100.0]])], 1).exp()  # of ½, ½ and 0, 1
    tensor([[0.2500, 0.7500]])
    """
    return of_logarithms([_full(each).log_softmax(dim) for each in logits])


def of_logarithms(logarithms: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean of what these are the logarithms of."""
    return torch.stack([_full(each) for each in logarithms]).logsumexp(0) - math.log(len(logarithms))


def of_decisions(logits: Sequence[Tensor]) -> Tensor:
    """The logit of the mean of the probabilities σ(z_i) of yes.

    >>> of_decisions([torch.tensor([0.0]), torch.tensor([100.0])]).sigmoid()  # of ½ and 1
    tensor([0.7500])
    """
    yes, no = ([logsigmoid(sign * _full(each)) for each in logits] for sign in (1, -1))
    return of_logarithms(yes) - of_logarithms(no)


def _full(output: Tensor) -> Tensor:
    return output.float() if output.dtype in (torch.float16, torch.bfloat16) else output
