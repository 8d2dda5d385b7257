"""Cut an update into parts: who makes which of its samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lrsched.data.batch import Batch, each


class Piece(NamedTuple):
    """A micro-batch of one part of an update.

    Args:
        part: its number.
        micro: the number of the micro-batch in it.
        numbers: of the samples to make.
        share: from where to where they are taken.
    """

    part: int
    micro: int
    numbers: Tensor
    share: tuple[int, int]

    def taken(self, batch: Batch) -> Batch:
        """The samples of the share."""
        begin, end = self.share
        if (begin, end) == (0, len(self.numbers)):
            return batch
        return each(batch, lambda column: column[begin:end])


@dataclass(frozen=True)
class Cut:
    """How every update is cut, and which of its parts this process makes.

    ::

        lanes=None, one process     the update is one part
        lanes=None, N processes     a part for each process: its share of every micro-batch
        lanes=L                     L parts, whoever makes them: runs of samples that differ by one in length at most

    Parts are numbered in the order of their samples, the later ones are shorter, and a process makes as many as any
    other, one after the other. A part of no sample is skipped.

    Args:
        lanes: a power of two, or None.
        rank: of this process.
        size: processes; with lanes it divides them.
    """

    lanes: int | None = None
    rank: int = 0
    size: int = 1

    @property
    def whole(self) -> bool:
        """Whether an update is one part, and summed as it comes."""
        return self.lanes is None and self.size == 1

    @property
    def parts(self) -> int:
        """The parts of an update."""
        return self.lanes or self.size

    @property
    def own(self) -> range:
        """The parts of this process."""
        each = self.parts // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def pieces(self, numbers: Tensor, batch_size: int, *, entire: bool = False) -> list[Piece]:
        """The micro-batches of the parts of this process, those of no sample left out.

        Args:
            numbers: of the samples of an update, in order.
            batch_size: the most samples of a micro-batch.
            entire: without lanes, make each micro-batch of the update whole and take a share of it: what is drawn for
                a batch is drawn for all of its samples.
        """
        if self.lanes is None and (entire or self.size == 1):
            micro = numbers.split(batch_size)
            whole = [
                Piece(self.rank, m, some, _bounds(len(some), self.size, self.rank)) for m, some in enumerate(micro)
            ]
            return [piece for piece in whole if piece.share[0] < piece.share[1]]
        parts = ((part, m, some) for part in self.own for m, some in enumerate(self._micro(numbers, batch_size, part)))
        return [Piece(part, m, some, (0, len(some))) for part, m, some in parts if len(some)]

    def sizes(self, samples: int, batch_size: int) -> list[list[int]]:
        """The samples in each micro-batch of each part, of this process and of the others.

        >>> Cut(lanes=4).sizes(10, 2)
        [[2, 1], [2, 1], [2], [2]]
        >>> Cut(size=3).sizes(10, 8)
        [[3, 1], [3, 1], [2]]
        """
        return [[count for count in self._counts(samples, batch_size, part) if count] for part in range(self.parts)]

    def filled(self, samples: int, batch_size: int) -> list[bool]:
        """Whether each process makes a sample of an update of so many."""
        sizes, each = self.sizes(samples, batch_size), self.parts // self.size
        return [any(sizes[rank * each : (rank + 1) * each]) for rank in range(self.size)]

    def _micro(self, numbers: Tensor, batch_size: int, part: int) -> Iterator[Tensor]:
        if self.lanes is not None:
            begin, end = _bounds(len(numbers), self.lanes, part)
            yield from numbers[begin:end].split(batch_size)
            return
        for some in numbers.split(batch_size):
            begin, end = _bounds(len(some), self.size, part)
            yield some[begin:end]

    def _counts(self, samples: int, batch_size: int, part: int) -> Iterator[int]:
        if self.lanes is not None:
            begin, end = _bounds(samples, self.lanes, part)
            yield from _split(end - begin, batch_size)
            return
        for some in _split(samples, batch_size):
            begin, end = _bounds(some, self.size, part)
            yield end - begin


WHOLE = Cut()
"""One process makes an update as it comes."""


def drawn_at(cut: Cut, step: int, piece: Piece) -> tuple[int, ...]:
    """Where in the run a micro-batch is, for what is drawn for all of its samples: with lanes its part says it too."""
    return (step, piece.micro) if cut.lanes is None else (step, piece.part, piece.micro)


def _bounds(samples: int, parts: int, part: int) -> tuple[int, int]:
    each, more = divmod(samples, parts)
    return part * each + min(part, more), (part + 1) * each + min(part + 1, more)


def _split(samples: int, most: int) -> Sequence[int]:
    return [most] * (samples // most) + ([samples % most] if samples % most else [])
