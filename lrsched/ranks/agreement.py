"""What the processes of a run agree on between two updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lrsched.errors import Stopped, UserError
from lrsched.ranks.world import World
from lrsched.signals import StopFlag, name_of

T = TypeVar("T")


class Agreement:
    """Whether to stop by a signal, and whether to save: what a clock or a signal tells one process, told to all.

    Everything else that a run decides follows from numbers which all processes have.

    Args:
        stop: of this process, raised by a signal.
        world: the processes.
    """

    def __init__(self, stop: StopFlag, world: World) -> None:
        self._stop, self._world = stop, world
        self._number: int | None = None

    def __call__(self, to_save: bool) -> bool:
        """Hear the others, at the same place in all of them; return whether rank 0 wants to save.

        Raises:
            RankLost: a process has ended.
        """
        if self._world.size == 1:
            return to_save
        said = self._world.exchange([self._stop.number or 0, to_save])
        self._number = next((int(number) for number, _ in said if number), None)
        return bool(said[0][1])

    @property
    def number(self) -> int | None:
        """The signal that ends the run; None: there was none."""
        return self._stop.number if self._world.size == 1 else self._number

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.number)


def together(world: World, work: Callable[[], T]) -> T:
    """Do some work in every process; where a signal stops it in one of them, it is stopped in all.

    Raises:
        Stopped: a signal came to a process.
        RankLost: a process has ended.
    """
    if world.size == 1:
        return work()
    found: list[T] = []
    number = 0
    try:
        found.append(work())
    except Stopped as stopped:
        number = stopped.exit_code - 128
    first = next((int(said) for (said,) in world.exchange([number]) if said), 0)
    if first:
        raise Stopped(first, f"stopped by {name_of(first)}")
    return found[0]


def require_same(world: World, digest: str, what: str) -> None:
    """Refuse what is not the same in all processes.

    Args:
        world: the processes.
        digest: of what this one has.
        what: it is, in words.

    Raises:
        UserError: names the first process that has another.
        RankLost: a process has ended.
    """
    digests = world.gather(digest)
    other = next((rank for rank, found in enumerate(digests) if found != digests[0]), None)
    if other is not None:
        raise UserError(
            f"{what} of rank {other} are not those of rank 0: something that makes them differs between processes, as "
            "a number that a model or a data set draws from a generator of its own, or a file that one of them lacks"
        )
