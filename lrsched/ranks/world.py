"""What the processes of a run say to each other."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor

from lrsched.errors import UserError
from lrsched.ranks.tree import fold

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup, Work

T = TypeVar("T")

LOOK = timedelta(seconds=0.5)
"""How often a process that waits for the others looks whether they are all there."""


SMALL = 1 << 16
"""Bytes of a tensor that is sent whole to all: two messages would take longer than what they spare."""


class RankLost(UserError):
    """A process of the run has ended, or has not been heard for too long."""

    trace = ""
    """What it printed last, or its traceback."""


class Guard(Protocol):
    """Knows whether the other processes are there."""

    def check(self) -> None:
        """Look.

        Raises:
            RankLost: one is not; names it, and what became of it.
        """
        ...

    def lost(self, error: Exception) -> RankLost:
        """What became of the process whose end a broken connection has shown; waits shortly to know it."""
        ...


@dataclass(frozen=True, kw_only=True)
class World:
    """The processes of a run, as one of them sees them; every process calls the same methods in the same order.

    Args:
        rank: of this process; 0 composes, writes and prints.
        size: processes.
        host: torch's group for what lies in the host's memory; None: there is one process.
        group: the group for what lies on ``device``; the same one on a CPU.
        device: of gradients.
        guard: of the other processes.
    """

    rank: int = 0
    size: int = 1
    host: ProcessGroup | None = None
    group: ProcessGroup | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    guard: Guard | None = None

    @property
    def writes(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.rank == 0

    def exchange(self, values: Sequence[float]) -> list[list[float]]:
        """The values of every process, as many from each, by rank.

        Raises:
            RankLost: a process has ended.
        """
        if self.host is None:
            return [list(values)]
        mine = torch.tensor(values, dtype=torch.float64)
        found = [torch.empty_like(mine) for _ in range(self.size)]
        self._wait(lambda d: d.all_gather(found, mine, group=self.host, async_op=True))
        return [each.tolist() for each in found]

    def tell(self, thing: Callable[[], T]) -> T:
        """What rank 0 finds, to every process; an error of its own that a person can mend is raised in all.

        Args:
            thing: called by rank 0 alone; can be pickled.

        Raises:
            RankLost: a process has ended.
        """
        if self.host is None:
            return thing()
        content = _pickled(thing) if self.rank == 0 else b""
        (length, *_), *_ = self.exchange([len(content)])
        sent = (
            torch.frombuffer(bytearray(content), dtype=torch.uint8)
            if content
            else torch.empty(int(length), dtype=torch.uint8)
        )
        self._wait(lambda d: d.broadcast(sent, 0, group=self.host, async_op=True))
        found, error = pickle.loads(content or sent.numpy().tobytes())
        if error is not None:
            raise error
        return found

    def gather(self, thing: T) -> list[T]:
        """What every process has, by rank.

        Args:
            thing: can be pickled.

        Raises:
            RankLost: a process has ended.
        """
        if self.host is None:
            return [thing]
        content = pickle.dumps(thing)
        lengths = [int(length) for (length,) in self.exchange([len(content)])]
        longest = max(lengths)
        mine = torch.frombuffer(bytearray(content.ljust(longest, b"\0")), dtype=torch.uint8)
        found = [torch.empty_like(mine) for _ in range(self.size)]
        self._wait(lambda d: d.all_gather(found, mine, group=self.host, async_op=True))
        return [pickle.loads(each.numpy().tobytes()[:length]) for each, length in zip(found, lengths, strict=True)]

    def add(self, flat: Tensor, filled: Sequence[bool]) -> None:
        """Sum the tensors of all processes in one fixed tree, in place: every process has the same bits.

        Each process adds one chunk of all tensors and gives it to the others: what is sent is twice the tensor, for any
        number of processes. A small tensor is sent to all at once. To add is element by element, so the bits do not
        depend on the chunks.

        Args:
            flat: of any type, [n] with n a multiple of ``size``, contiguous.
            filled: for each process whether it has something to add; the tensor of another one is not looked at.

        Raises:
            RankLost: a process has ended.
        """
        if self.group is None:
            return
        if flat.nbytes <= SMALL:
            found = [torch.empty_like(flat) for _ in range(self.size)]
            self._wait(
                lambda d: d.all_gather([*map(_bytes, found)], _bytes(flat), group=self.group, async_op=True),
                on_device=True,
            )
            flat.copy_(_summed(found, filled))
            return
        theirs = torch.empty_like(flat)
        self._wait(
            lambda d: d.all_to_all_single(_bytes(theirs), _bytes(flat), group=self.group, async_op=True), on_device=True
        )
        summed = _summed(theirs.chunk(self.size), filled)
        into = [_bytes(chunk) for chunk in flat.chunk(self.size)]
        self._wait(lambda d: d.all_gather(into, _bytes(summed), group=self.group, async_op=True), on_device=True)

    def hand_out(self, tensors: Sequence[Tensor]) -> None:
        """Give every process the tensors of rank 0, in place.

        Raises:
            RankLost: a process has ended.
        """
        if self.group is None:
            return
        for tensor in tensors:
            whole = tensor.detach().contiguous()
            self._wait(
                lambda d, whole=whole: d.broadcast(_bytes(whole.reshape(-1)), 0, group=self.group, async_op=True),
                on_device=True,
            )
            if self.rank:
                tensor.detach().copy_(whole)

    def _wait(self, begin: Callable[[Any], Work], *, on_device: bool = False) -> None:
        """Begin to talk, and wait for the others as long as all of them are there."""
        import torch.distributed as d

        try:
            work = begin(d)
            if on_device and self.device.type == "cuda":  # the stream waits, not the host
                work.wait()
                return
            while not self._done(work):
                if self.guard is not None:
                    self.guard.check()
        except RuntimeError as error:
            if self.guard is None or isinstance(error, RankLost):
                raise
            raise self.guard.lost(error) from error

    @staticmethod
    def _done(work: Work) -> bool:
        """Whether it is done, after waiting shortly for it."""
        try:
            work.wait(LOOK)
        except RuntimeError:
            if work.is_completed():  # it failed; or it came to its end just now
                work.wait()
                return True
            return False
        return True


ALONE = World()
"""One process."""


def _pickled(thing: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((thing(), None))
    except UserError as error:
        with suppress(Exception):
            return pickle.dumps((None, error))
        return pickle.dumps((None, UserError(str(error))))


def _summed(tensors: Sequence[Tensor], filled: Sequence[bool]) -> Tensor:
    """The sum of those that are filled, which may be written into one of them."""
    found = fold([tensor if has else None for tensor, has in zip(tensors, filled, strict=True)], Tensor.add_)
    assert found is not None  # an update has at least one sample
    return found


def _bytes(tensor: Tensor) -> Tensor:
    """The same memory as bytes, which every backend moves, whatever the type."""
    return tensor.view(torch.uint8)
