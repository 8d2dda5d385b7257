"""``trainer.channels_last``: images and the weights of convolutions with the colours of a pixel side by side."""

from __future__ import annotations

import torch
from torch import nn

from lrsched.data.batch import Batch, column, with_input
from lrsched.data.transform import Transform
from lrsched.errors import ConfigError


class ChannelsLast(Transform):
    """Brings image batches [B, C, H, W] into the order [B, H, W, C] in memory; shape and numbers stay.

    Args:
        then: makes the batch.

    Raises:
        ConfigError: the input has no four dimensions.
    """

    def __init__(self, then: Transform) -> None:
        self._then, self.draws = then, then.draws

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Make the batch, and order its first column."""
        batch = self._then(batch, generator)
        x = column(batch, 0)
        if x.ndim != 4:
            rule = f"orders images [B, C, H, W], and here a batch is {list(x.shape)}"
            raise ConfigError("trainer.channels_last", True, rule, "leave it out")
        return with_input(batch, x.contiguous(memory_format=torch.channels_last))


def in_channels_last(model: nn.Module) -> nn.Module:
    """The model with its four-dimensional weights in the order of such batches."""
    return model.to(memory_format=torch.channels_last)
