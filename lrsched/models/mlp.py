"""Multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from lrsched.models import checks

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


class MLP(nn.Module):
    """Fully connected layers on the flattened input, for any input and any output: h ← dropout(f(W h + b)).

    Args:
        input_shape: of a sample, of any length: (C, H, W) of an image, (features,) of a row of a table.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for a sample, as the task asks.
        hidden: width of each hidden layer; an empty list makes it a linear model.
        dropout: dropout probability of hidden units.
        activation: f: relu, gelu or tanh.

    Raises:
        ConfigError: a width below 1, a dropout outside [0, 1), an unknown activation, no number of outputs.

    References:
        Rumelhart, Hinton, Williams, Learning representations by back-propagating errors, Nature 323, 1986,
        https://doi.org/10.1038/323533a0

    >>> sum(p.numel() for p in MLP((1, 28, 28), 10).parameters())  # 784·128 + 128 + 128·10 + 10
    101770
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int | None = None,
        *,
        outputs: int | None = None,
        hidden: Sequence[int] = (128,),
        dropout: float = 0.0,
        activation: Literal["relu", "gelu", "tanh"] = "relu",
    ) -> None:
        super().__init__()
        widths = [checks.features(input_shape), *checks.counts("hidden", hidden)]
        dropout = checks.probability("dropout", dropout)
        nonlinearity = ACTIVATIONS[checks.one_of("activation", activation, ACTIVATIONS)]
        layers: list[nn.Module] = []
        for below, above in pairwise(widths):
            layers += [nn.Linear(below, above), nonlinearity()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], checks.outputs(classes, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, …] to [B, outputs]."""
        return self.head(self.body(checks.flat(x)))
