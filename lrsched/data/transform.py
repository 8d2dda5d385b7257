"""Turn raw samples into what a model is given, a whole batch at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lrsched.data.batch import Batch, column, with_input


class Transform:
    """Changes a batch on its way to the model; this one changes nothing.

    A subclass that draws sets ``draws``; then it is given, in training alone, a generator that is keyed by the seed,
    the step and the micro-batch. It must take a batch of inputs alone too: that is how predictions are made.
    """

    draws: bool = False

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Make what the model and the task are given of raw samples."""
        return batch


class Standardise(Transform):
    """Standardises the input: (x − mean) / std in float32.

    Args:
        mean, std: of the raw values, of a shape that broadcasts with samples, as [1, C, 1, 1].
        device: of the samples.
    """

    def __init__(self, mean: Tensor, std: Tensor, device: torch.device | None = None) -> None:
        self._scale = (1.0 / std.to(device, torch.float32)).contiguous()
        self._shift = (-mean / std).to(device, torch.float32).contiguous()
        if self._scale.numel() == 1:  # one channel: no broadcast
            self._scale, self._shift = self._scale.reshape(()), self._shift.reshape(())

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Convert the first column, of any number type, to float32."""
        return with_input(batch, column(batch, 0).to(torch.float32, copy=True).mul_(self._scale).add_(self._shift))


class Augmented(Transform):
    """Changes raw samples at random in training, before another change.

    Args:
        change: of a batch, drawn from a generator; see :class:`lrsched.data.operations.changes.Changes`.
        then: what follows.
    """

    draws = True

    def __init__(self, change: Callable[[Batch, torch.Generator], Batch], then: Transform) -> None:
        self._change, self._then = change, then

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Change the batch if there is a generator, and then as the next transform does."""
        return self._then(batch if generator is None else self._change(batch, generator))


class Fill(Transform):
    """Puts numbers in the place of inputs that are missing (NaN), before another change.

    Args:
        stand_ins: one for each input, [1, …], as the training part has them.
        device: of the samples.
        then: what follows.
    """

    def __init__(self, stand_ins: Tensor, device: torch.device | None, then: Transform) -> None:
        self._stand_ins, self._then = stand_ins.to(device), then
        self.draws = then.draws

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Fill the first column, and change the batch as the next transform does."""
        return self._then(with_input(batch, filled(column(batch, 0), self._stand_ins)), generator)


def filled(x: Tensor, stand_ins: Tensor) -> Tensor:
    """The inputs, with these numbers where one is NaN.

    >>> filled(torch.tensor([[1.0, float("nan")]]), torch.tensor([[5.0, 6.0]])).tolist()
    [[1.0, 6.0]]
    """
    return torch.where(x.isnan(), stand_ins, x)
