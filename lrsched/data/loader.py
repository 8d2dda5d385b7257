"""Make batches as a function of (seed, step), from tensors in the device's memory."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import torch
from torch import Tensor

from lrsched.data.batch import Batch, each, samples
from lrsched.data.clock import Clock
from lrsched.data.counts import pace
from lrsched.data.cut import WHOLE, Cut, Piece, drawn_at
from lrsched.data.transform import Transform
from lrsched.seeds import key


class Loader:
    """Training batches: ``batch(step)`` depends on the seed and the step alone.

    An epoch is one pass over all samples in an order drawn from (seed, epoch); its last update is smaller when the
    samples do not divide. A cache is the only memory between calls, so a run resumed at step s gets from ``batch(s)``
    what an undisturbed run gets. A clock says which samples a run that changed its pace goes on with.

    Args:
        data: columns of the training samples, samples first. They move to ``device`` once.
        transform: brings raw samples into the form that the model is given.
        batch_size: samples in a micro-batch.
        accumulate: micro-batches in an update.
        seed: of the run.
        device: of the batches; None: the CPU.
        limit: updates after which an epoch ends early, or None.
        overfit: updates to repeat for ever, always with the same samples, or None.
        cut: how an update is cut into parts, and which are made here.
    """

    def __init__(
        self,
        data: Batch,
        transform: Transform,
        *,
        batch_size: int,
        accumulate: int = 1,
        seed: int = 0,
        device: torch.device | None = None,
        limit: int | None = None,
        overfit: int | None = None,
        cut: Cut = WHOLE,
    ) -> None:
        self.cut = cut
        self._device = device or torch.device("cpu")
        self._data = each(data, lambda column: column.to(self._device))
        self._transform, self._seed = transform, seed
        self.batch_size = batch_size
        self._generator = torch.Generator(self._device) if transform.draws else None
        self._overfit = overfit
        self._order: tuple[int, Tensor] | None = None
        self.samples = samples(data)
        self.pace = pace(self.samples, batch_size=batch_size, accumulate=accumulate, limit=limit, overfit=overfit)
        self.samples_per_step, self.steps_per_epoch = self.pace.samples_per_step, self.pace.steps_per_epoch
        self.clock = Clock(self.samples, self.pace)

    def batch(self, step: int) -> list[Batch]:
        """Make the micro-batches of update ``step``."""
        numbers = self._numbers(step)
        if len(numbers) <= self.batch_size:
            return [self._take(numbers, step, 0)]
        return [self._take(part, step, m) for m, part in enumerate(numbers.split(self.batch_size))]

    def pieces(self, step: int) -> Iterator[tuple[Piece, Batch]]:
        """Make the micro-batches of update ``step`` that are this process's, part by part."""
        entire = self._generator is not None
        for piece in self.cut.pieces(self._numbers(step), self.batch_size, entire=entire):
            yield piece, piece.taken(self._take(piece.numbers, *drawn_at(self.cut, step, piece)))

    def samples_of(self, step: int) -> int:
        """Count the samples of update ``step``, those of all processes."""
        return len(self._numbers(step))

    def sample_numbers(self, step: int) -> list[int]:
        """List the numbers of the training samples of update ``step``."""
        return self._numbers(step).tolist()

    def close(self) -> None:
        """Nothing: there are no workers."""

    def ends_at(self, step: int) -> None:
        """Nothing: no batch is made before it is asked for."""

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

    def _take(self, indices: Tensor, *position: int) -> Batch:
        if self._generator is not None:
            self._generator.manual_seed(key(self._seed, "augment", *position))
        return self._transform(each(self._data, lambda column: column.index_select(0, indices)), self._generator)


def order(seed: int, epoch: int, samples: int) -> Tensor:
    """The order of an epoch: int64 [samples], on the CPU."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(key(seed, "shuffle", epoch)))


class InOrder:
    """Evaluation batches: all samples in order.

    Args:
        data, transform, device: as for :class:`Loader`.
        batch_size: samples in a batch.
        limit: largest number of batches, or None.
    """

    def __init__(
        self,
        data: Batch,
        transform: Transform,
        *,
        batch_size: int,
        device: torch.device | None = None,
        limit: int | None = None,
    ) -> None:
        self._data = each(data, lambda column: column.to(device))
        self._transform, self._batch_size = transform, batch_size
        count = samples(data) if limit is None else min(samples(data), limit * batch_size)
        self._starts = range(0, count, batch_size)

    def share(self, rank: int, size: int) -> InOrder:
        """Every ``size``-th batch, from the one with this number on."""
        shared = copy(self)
        shared._starts = self._starts[rank::size]
        return shared

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Batch]:
        for start in self._starts:
            part = slice(start, start + self._batch_size)
            yield self._transform(each(self._data, lambda column, part=part: column[part]))
