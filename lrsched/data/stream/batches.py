"""Batches of items for training and evaluation: the interfaces of the loaders of data in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.data.batch import Batch, each
from lrsched.data.clock import Clock
from lrsched.data.counts import pace
from lrsched.data.cut import WHOLE, Cut, Piece, drawn_at
from lrsched.data.stream.fetch import Fetch, Wanted
from lrsched.data.stream.permutation import Order
from lrsched.data.stream.workers import Workers
from lrsched.data.transform import Transform
from lrsched.seeds import key


@dataclass(frozen=True)
class Hands:
    """Who makes the batches.

    Args:
        workers: processes; 0: the one that trains.
        prefetch: batches that each worker makes ahead.
    """

    workers: int
    prefetch: int


class ItemLoader:
    """Training batches of items: ``batch(step)`` depends on the seed and the step alone, whoever makes them.

    Workers run ahead from the update that was asked for last. Any other update than the next one starts them anew, at
    that update: a run that is resumed, goes back or changes its pace has nothing to remember.

    Args:
        fetch: makes a batch of the training part.
        hands: who makes it.
        transform: brings raw samples into the form that the model is given, in the process that trains, on ``device``.
        batch_size, accumulate, seed, device, limit, overfit, cut: as for :class:`lrsched.data.loader.Loader`.
    """

    def __init__(
        self,
        fetch: Fetch,
        hands: Hands,
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
        self._fetch, self._hands, self._transform, self._seed = fetch, hands, transform, seed
        self._device = device or torch.device("cpu")
        self._generator = torch.Generator(self._device) if transform.draws else None
        self.batch_size, self._overfit = batch_size, overfit
        self.samples = len(fetch.part)
        self.pace = pace(self.samples, batch_size=batch_size, accumulate=accumulate, limit=limit, overfit=overfit)
        self.samples_per_step, self.steps_per_epoch = self.pace.samples_per_step, self.pace.steps_per_epoch
        self._order = Order(seed, self.samples)
        self._clock = Clock(self.samples, self.pace)
        self._ahead: Workers | None = None
        self._next, self._end = -1, 0

    @property
    def clock(self) -> Clock:
        """Says which samples a run that changed its pace goes on with."""
        return self._clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self.close()
        self._clock = clock

    def batch(self, step: int) -> list[Batch]:
        """Make the micro-batches of update ``step``.

        Raises:
            DataError: a sample cannot be made, or a worker died; names the sample.
        """
        return [batch for _, batch in self.pieces(step)]

    def pieces(self, step: int) -> list[tuple[Piece, Batch]]:
        """Make the micro-batches of update ``step`` that are this process's, part by part.

        Raises:
            DataError: as for :meth:`batch`.
        """
        epoch, pieces = self._pieces(step)
        return [
            (piece, piece.taken(self._made(raw, *drawn_at(self.cut, step, piece))))
            for piece, raw in zip(pieces, self._raw(step, epoch, pieces), strict=True)
        ]

    def samples_of(self, step: int) -> int:
        """Count the samples of update ``step``, those of all processes."""
        return len(self._numbers(step)[1])

    def sample_numbers(self, step: int) -> list[int]:
        """List the data set's own numbers of the samples of update ``step``."""
        return self._fetch.part.numbers(self._numbers(step)[1])

    def ends_at(self, step: int) -> None:
        """Say how many updates the run has: workers make no batches for later ones, unless one of them is asked for."""
        self._end = step

    def close(self) -> None:
        """End the workers; the next update starts them again."""
        ahead, self._ahead, self._next = self._ahead, None, -1
        if ahead is not None:
            ahead.close()

    def _start(self, step: int) -> None:
        self.close()
        pin = self._device.type == "cuda"
        self._ahead = Workers(
            self._fetch, self._from(step), count=self._hands.workers, prefetch=self._hands.prefetch, pin=pin
        )

    def _from(self, step: int) -> Iterator[Wanted]:
        ends = step < self._end
        while not ends or step < self._end:
            yield from self._wanted(step)
            step += 1

    def _raw(self, step: int, epoch: int, pieces: Sequence[Piece]) -> list[Batch]:
        """The samples of some pieces of an update, as the data set has them."""
        if self._fetch.decoded is not None:
            return [self._fetch.taken(self._fetch.decoded, piece.numbers) for piece in pieces]
        if not self._hands.workers or step == self._next - 1:  # tried again: the workers are ahead already
            return [self._fetch.here(self._want(piece, epoch)) for piece in pieces]
        if self._ahead is None or step != self._next or step == self._end:  # there they ended
            self._start(step)
        assert self._ahead is not None
        made = [next(self._ahead) for _ in pieces]
        self._next = step + 1
        return made

    def _wanted(self, step: int) -> list[Wanted]:
        epoch, pieces = self._pieces(step)
        return [self._want(piece, epoch) for piece in pieces]

    def _want(self, piece: Piece, epoch: int) -> Wanted:
        return Wanted(self._fetch.part.numbers(piece.numbers), (epoch,))

    def _pieces(self, step: int) -> tuple[int, list[Piece]]:
        """The epoch of an update, and its micro-batches that are made here."""
        epoch, numbers = self._numbers(step)
        return epoch, self.cut.pieces(numbers, self.batch_size, entire=self._generator is not None)

    def _numbers(self, step: int) -> tuple[int, Tensor]:
        """The epoch of an update, and the numbers of its samples."""
        clock = self._clock.data
        epoch, position = clock.locate(step - clock.start - clock.passed)
        start = position * self.samples_per_step
        end = start + self.samples_per_step
        if epoch < clock.next_epoch and clock.unseen is not None:  # the epoch that was under way when the clock began
            return epoch, clock.unseen[start:end]
        return epoch, self._order.part(0 if self._overfit is not None else epoch, start, end)

    def _made(self, raw: Batch, *position: int) -> Batch:
        if self._generator is not None:
            self._generator.manual_seed(key(self._seed, "augment", *position))
        return self._transform(moved(raw, self._device), self._generator)


class ItemsInOrder:
    """Evaluation batches: all items of a part in order, the same in each evaluation of any run.

    Args:
        fetch: makes a batch of the part, by a seed that is not the run's.
        hands, transform: as for :class:`ItemLoader`.
        batch_size, limit, device: as for :class:`lrsched.data.loader.InOrder`.
    """

    def __init__(
        self,
        fetch: Fetch,
        hands: Hands,
        transform: Transform,
        *,
        batch_size: int,
        device: torch.device | None = None,
        limit: int | None = None,
    ) -> None:
        self._fetch, self._hands, self._transform, self._batch_size = fetch, hands, transform, batch_size
        self._device = device or torch.device("cpu")
        count = len(fetch.part) if limit is None else min(len(fetch.part), limit * batch_size)
        self._starts = range(0, count, batch_size)
        self._count = count

    def share(self, rank: int, size: int) -> ItemsInOrder:
        """Every ``size``-th batch, from the one with this number on."""
        shared = copy(self)
        shared._starts = self._starts[rank::size]
        return shared

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Batch]:
        if self._fetch.decoded is not None:
            for some in self._some():
                yield self._transform(moved(self._fetch.taken(self._fetch.decoded, some), self._device))
            return
        if not self._hands.workers or not self._starts:
            for wanted in self._wanted():
                yield self._transform(moved(self._fetch.here(wanted), self._device))
            return
        count, pin = min(self._hands.workers, len(self._starts)), self._device.type == "cuda"
        ahead = Workers(self._fetch, self._wanted(), count=count, prefetch=self._hands.prefetch, pin=pin)
        try:
            for _ in self._starts:
                yield self._transform(moved(next(ahead), self._device))
        finally:
            ahead.close()

    def _wanted(self) -> Iterator[Wanted]:
        return (Wanted(self._fetch.part.numbers(some)) for some in self._some())

    def _some(self) -> Iterator[Tensor]:
        return (torch.arange(start, min(start + self._batch_size, self._count)) for start in self._starts)


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device; from pinned memory the host does not wait."""
    return each(batch, lambda column: column.to(device, non_blocking=True))
