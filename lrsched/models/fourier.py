"""A coordinate network: random Fourier features, then fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrsched.errors import ConfigError
from lrsched.models import checks
from lrsched.models.mlp import MLP


class Fourier(nn.Module):
    """A function of a few coordinates, as a picture is one: an MLP on waves of many frequencies.

    ::

        φ(x) = (cos 2πBx, sin 2πBx),   B ~ N(0, σ²) of shape [frequencies, features]
        MLP(φ(x)) with ReLU

    An MLP on the coordinates themselves learns slow changes alone. B is drawn with the other initial weights, is never
    trained, and is saved as a buffer.

    Args:
        input_shape: of a sample; (2,) for x and y.
        classes: number of logits, unless ``outputs`` is given.
        outputs: how many numbers to give for a sample, as the task asks; 3 for a colour.
        frequencies: rows of B.
        sigma: σ, in periods for each unit of the input. Small, and the answer is blurred; large, and it is noise
            between the samples. The right one lies near the finest detail that is to be learned.
        hidden: width of each hidden layer.

    Raises:
        ConfigError: a number below 1, or a ``sigma`` that is not above 0.

    References:
        Tancik et al., Fourier features let networks learn high frequency functions in low dimensional domains, 2020,
        https://arxiv.org/abs/2006.10739

    >>> sum(p.numel() for p in Fourier((2,), outputs=3, frequencies=64, hidden=[32]).parameters())  # 128·32+32 + 32·3+3
    4227
    """

    B: Tensor

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int | None = None,
        *,
        outputs: int | None = None,
        frequencies: int = 128,
        sigma: float = 10.0,
        hidden: Sequence[int] = (128, 128),
    ) -> None:
        super().__init__()
        features = checks.features(input_shape)
        if not 0 < sigma < math.inf:
            raise ConfigError("sigma", sigma, "must be a finite number above 0")
        self.register_buffer("B", sigma * torch.randn(checks.count("frequencies", frequencies), features))
        self.network = MLP((2 * frequencies,), classes, outputs=outputs, hidden=hidden)

    def forward(self, x: Tensor) -> Tensor:
        """x float32 [B, …] to [B, outputs]."""
        angles = 2 * math.pi * (checks.flat(x) @ self.B.T)
        return self.network(torch.cat([angles.cos(), angles.sin()], 1))
