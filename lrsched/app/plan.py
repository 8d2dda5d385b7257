"""The plan of a sweep: which runs make their first steps together, and in what order they begin."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lrsched.app.cells import Cell, cells, member_of
from lrsched.app.effort import forked_at
from lrsched.app.share import FORKS, Point, Share
from lrsched.app.sweep import Planned
from lrsched.sweep.prefix import Fork, Stand, critical, plan, to_train


class Plan:
    """Who begins with whose state; made before the sweep starts, in a process that has torch and the data.

    A run that dies before it has kept a state for others is not waited for: these are planned anew, from the
    states that there are and those that are still to come.

    Args:
        planned: all valid runs of the sweep, finished ones too.
        share: whether runs may begin with states of others.
    """

    def __init__(self, planned: Sequence[Planned], *, share: bool) -> None:
        once = {id(one): one for one in planned}.values()
        self.members = [member for one in once if (member := member_of(one)) is not None]
        self._index = {id(member.planned): index for index, member in enumerate(self.members)}
        self._cells = list(cells(self.members)) if share else []
        self._keeps: dict[int, frozenset[int]] = {}  # of the runs that are begun: the states that they keep
        self._settled: set[int] = set()  # those that need no state any more
        self.forks: list[Fork | None] = [None] * len(self.members)
        for cell in self._cells:
            self._place(cell)
        self._tidy()

    @property
    def trees(self) -> list[list[int]]:
        """The numbers of the members that go on from each other, tree by tree."""
        return [cell.indices for cell in self._cells if any(self.forks[index] for index in cell.indices)]

    @property
    def asked(self) -> int:
        """Updates that the runs have together, those that are finished too."""
        return sum(member.stand.steps for member in self.members)

    @property
    def steps(self) -> int:
        """Updates that are to be made by the runs that are not begun."""
        return sum(to_train(self._stands(), self.forks))

    def choose(self, due: Sequence[Planned], waiting: Iterable[int]) -> int | None:
        """Which of the waiting jobs is to begin: of those that can, the one that most hangs on; None if none can."""
        ready = [number for number in waiting if self._is_ready(due[number])]
        longest = critical(self._stands(), self.forks) if ready else []
        weights = {
            number: longest[index] for number in ready if (index := self._index.get(id(due[number]))) is not None
        }
        return max(ready, key=lambda number: weights.get(number, 0), default=None)

    def share_of(self, planned: Planned) -> Share:
        """What a run must know of the plan as it begins."""
        index = self._index.get(id(planned))
        if index is None:
            return Share()
        wanted = {fork.step for fork in self.forks if fork is not None and fork.source == index}
        return Share(self._point(index), frozenset(wanted - self.members[index].stand.kept))

    def begin(self, planned: Planned) -> None:
        """Note that a run begins: what it keeps for others stands from now on."""
        index = self._index.get(id(planned))
        if index is not None:
            self._keeps[index] = self.share_of(planned).keep

    def end(self, planned: Planned) -> int:
        """Note that a run has ended, remove the states that nobody needs, and plan those anew that wait in vain.

        Returns:
            How many these are.
        """
        index = self._index.get(id(planned))
        if index is None:
            return 0
        if planned.entry.is_done or forked_at(self.members[index].folder) is not None:
            self._settled.add(index)
        lost = [i for i, fork in enumerate(self.forks) if fork and fork.source == index and self._waits_in_vain(i)]
        for cell in self._cells:
            if not set(lost).isdisjoint(cell.indices):
                self._place(cell)
        self._tidy()
        return len(lost)

    def _place(self, cell: Cell) -> None:
        """Let the runs of a cell that are not begun fork where they share most."""
        forks = plan([self._stand(index) for index in cell.indices], cell.shared)
        for index, fork in zip(cell.indices, forks, strict=True):
            if index not in self._keeps:
                self.forks[index] = None if fork is None else Fork(cell.indices[fork.source], fork.step)

    def _stands(self) -> list[Stand]:
        return [self._stand(index) for index in range(len(self.members))]

    def _stand(self, index: int) -> Stand:
        """Where a run stands; one that is begun serves others with what it keeps, and that is settled."""
        member = self.members[index]
        if index not in self._keeps:
            return member.stand
        kept = member.stand.kept | self._keeps[index]
        if member.planned.entry.status is not None:
            kept = frozenset(step for step in kept if Point(member.folder, step).is_there())
        return replace(member.stand, done=True, kept=kept)

    def _is_ready(self, planned: Planned) -> bool:
        """Whether a run may begin: the state that it begins with is there, or will never be."""
        index = self._index.get(id(planned))
        fork = None if index is None else self.forks[index]
        if fork is None:
            return True
        source = self.members[fork.source]
        return Point(source.folder, fork.step).is_there() or source.planned.entry.status is not None

    def _waits_in_vain(self, index: int) -> bool:
        point = self._point(index)
        open_ = index not in self._keeps and self.members[index].planned.entry.status is None
        return open_ and point is not None and not point.is_there()

    def _point(self, index: int) -> Point | None:
        fork = self.forks[index]
        return None if fork is None else Point(self.members[fork.source].folder, fork.step)

    def _tidy(self) -> None:
        """Remove the states that nobody needs: all who begin with them have, or an earlier plan wanted them."""
        points = [self._point(index) for index in range(len(self.members)) if index not in self._settled]
        needed = {point.path for point in points if point is not None}
        for folder in {member.folder.path.parent / FORKS for member in self.members}:
            for path in folder.glob("*/*"):
                if path not in needed:
                    _remove(path)


def _remove(path: Path) -> None:
    """Remove a kept state, and the folders around it once they are empty."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.parent.rmdir()
        path.parent.parent.rmdir()
