"""A linear model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lrsched.models import checks


class Linear(nn.Module):
    """W x + b on the flattened input: linear regression, or logistic regression with a task of classes.

    The simplest answer to any problem, and the one that a larger model has to beat. Its loss is convex under all
    tasks but those with a loss of their own, so that where it ends does not depend on the seed.

    Args:
        input_shape: of a sample, of any length.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for a sample, as the task asks.
        bias: add b.

    Raises:
        ConfigError: neither ``classes`` nor ``outputs``, or one that is no count.

    References:
        Legendre, Nouvelles méthodes pour la détermination des orbites des comètes, 1805
        Cox, The regression analysis of binary sequences, 1958, https://doi.org/10.1111/j.2517-6161.1958.tb00292.x

    >>> sum(p.numel() for p in Linear((30,), outputs=1).parameters())
    31
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int | None = None,
        *,
        outputs: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.head = nn.Linear(checks.features(input_shape), checks.outputs(classes, outputs), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, …] to [B, outputs]."""
        return self.head(checks.flat(x))
