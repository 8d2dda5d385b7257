"""Make batches as a function of (seed, step), from tensors in the device's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lrsched.data.clock import Clock
from lrsched.data.counts import pace
from lrsched.seeds import key

Batch = tuple[Tensor, Tensor]
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


class Standardise:
    """Converts raw pixels to network input: (x − mean) / std per channel, in float32.

    Args:
        mean, std: [C], in units of the raw values.
        device: of the images.
    """

    def __init__(self, mean: Tensor, std: Tensor, device: torch.device) -> None:
        shape = (1, -1, 1, 1)
        self._scale = (1.0 / std.to(device, torch.float32)).reshape(shape)
        self._shift = (-mean / std).to(device, torch.float32).reshape(shape)
        if self._scale.numel() == 1:  # one channel: no broadcast
            self._scale, self._shift = self._scale.reshape(()), self._shift.reshape(())

    def __call__(self, raw: Tensor) -> Tensor:
        """Convert [B, C, H, W] of any number type to float32."""
        return raw.to(torch.float32, copy=True).mul_(self._scale).add_(self._shift)


class Loader:
    """Training batches: ``batch(step)`` depends on the seed and the step alone.

    An epoch is one pass over all samples in an order drawn from (seed, epoch); its last update is smaller when the
    samples do not divide. A cache is the only memory between calls, so a run resumed at step s gets from ``batch(s)``
    what an undisturbed run gets. A clock says which samples a run that changed its pace goes on with.

    Args:
        x: uint8 [N, C, H, W]; y: int64 [N]. Both move to ``device`` once.
        standardise: converts raw pixels to network input.
        batch_size: samples in a micro-batch.
        accumulate: micro-batches in an update.
        seed: of the run.
        augment: batched augmentation of raw pixels, or None.
        limit: updates after which an epoch ends early, or None.
        overfit: updates to repeat for ever, always with the same samples, or None.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        standardise: Standardise,
        *,
        batch_size: int,
        accumulate: int = 1,
        seed: int = 0,
        augment: Augmentation | None = None,
        device: torch.device | None = None,
        limit: int | None = None,
        overfit: int | None = None,
    ) -> None:
        self._x, self._y = x.to(device), y.to(device)
        self._device = self._x.device
        self._standardise, self._augment, self._seed = standardise, augment, seed
        self.batch_size = batch_size
        self._generator = torch.Generator(self._device) if augment is not None else None
        self._overfit = overfit
        self._order: tuple[int, Tensor] | None = None
        self.samples = len(y)
        self.pace = pace(self.samples, batch_size=batch_size, accumulate=accumulate, limit=limit, overfit=overfit)
        self.samples_per_step, self.steps_per_epoch = self.pace.samples_per_step, self.pace.steps_per_epoch
        self.clock = Clock(self.samples, self.pace)

    def batch(self, step: int) -> list[Batch]:
        """Make the micro-batches of update ``step``: x float32 [B, C, H, W] and y int64 [B] each."""
        numbers = self._numbers(step)
        if len(numbers) <= self.batch_size:
            return [self._take(numbers, step, 0)]
        return [self._take(part, step, m) for m, part in enumerate(numbers.split(self.batch_size))]

    def sample_numbers(self, step: int) -> list[int]:
        """List the numbers of the training samples of update ``step``."""
        return self._numbers(step).tolist()

    def _numbers(self, step: int) -> Tensor:
        clock = self.clock.data
        epoch, position = clock.locate(step - clock.start - clock.passed)
        start = position * self.samples_per_step
        end = start + self.samples_per_step
        if epoch < clock.next_epoch and clock.unseen is not None:  # the epoch that was under way when the clock began
            return clock.unseen[start:end].to(self._device)
        return self._indices(0 if self._overfit is not None else epoch)[start:end]

    def _indices(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, order(self._seed, epoch, self.samples).to(self._device)
        return self._order[1]

    def _take(self, indices: Tensor, step: int, micro: int) -> Batch:
        raw = self._x.index_select(0, indices)
        if self._augment is not None and self._generator is not None:
            self._generator.manual_seed(key(self._seed, "augment", step, micro))
            raw = self._augment(raw, self._generator)
        return self._standardise(raw), self._y.index_select(0, indices)


def order(seed: int, epoch: int, samples: int) -> Tensor:
    """The order of an epoch: int64 [samples], on the CPU."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(key(seed, "shuffle", epoch)))


class InOrder:
    """Evaluation batches: all samples in order.

    Args:
        x, y, standardise, device: as for :class:`Loader`.
        batch_size: samples in a batch.
        limit: largest number of batches, or None.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        standardise: Standardise,
        *,
        batch_size: int,
        device: torch.device | None = None,
        limit: int | None = None,
    ) -> None:
        self._x, self._y = x.to(device), y.to(device)
        self._standardise, self._batch_size = standardise, batch_size
        samples = len(y) if limit is None else min(len(y), limit * batch_size)
        self._starts = range(0, samples, batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in self._starts:
            part = slice(start, start + self._batch_size)
            yield self._standardise(self._x[part]), self._y[part]
