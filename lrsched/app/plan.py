"""The plan of a sweep: which runs make their first steps together, and in what order they begin."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lrsched.app.cells import cells, member_of
from lrsched.app.share import FORKS, Point, Share
from lrsched.app.sweep import Planned
from lrsched.records import RunFolder, read_rows
from lrsched.sweep.prefix import Fork, critical, plan, to_train


class Plan:
    """Who begins with whose state; made before the sweep starts, in a process that has torch and the data.

    Args:
        planned: all valid runs of the sweep, finished ones too.
        share: whether runs may begin with states of others.
    """

    def __init__(self, planned: Sequence[Planned], *, share: bool) -> None:
        once = {id(one): one for one in planned}.values()
        self.members = [member for one in once if (member := member_of(one)) is not None]
        self.forks: list[Fork | None] = [None] * len(self.members)
        self.trees: list[list[int]] = []
        for cell, tables in cells(self.members) if share else ():
            forks = plan([self.members[index].stand for index in cell], tables)
            for index, fork in zip(cell, forks, strict=True):
                self.forks[index] = None if fork is None else Fork(cell[fork.source], fork.step)
            if any(forks):
                self.trees.append(cell)
        self._stands = [member.stand for member in self.members]
        self._index = {id(member.planned): index for index, member in enumerate(self.members)}
        self._waiting: dict[Path, set[int]] = {}  # who is still to begin with a state
        for index in range(len(self.members)):
            point = self._point(index)
            if point is not None:
                self._waiting.setdefault(point.path, set()).add(index)
        self._tidy()

    @property
    def asked(self) -> int:
        """Updates that the runs have together, those that are finished too."""
        return sum(stand.steps for stand in self._stands)

    @property
    def steps(self) -> int:
        """Updates that are to be made."""
        return sum(to_train(self._stands, self.forks))

    def in_order(self, due: Sequence[Planned]) -> list[Planned]:
        """Those first that most hangs on, one step after another; so each comes after the one it forks from."""
        longest = critical(self._stands, self.forks)
        return sorted(due, key=lambda one: -longest[self._index[id(one)]] if id(one) in self._index else 0)

    def share_of(self, planned: Planned) -> Share:
        """What a run must know of the plan."""
        index = self._index.get(id(planned))
        if index is None:
            return Share()
        wanted = {fork.step for fork in self.forks if fork is not None and fork.source == index}
        return Share(self._point(index), frozenset(wanted - self._stands[index].kept))

    def is_ready(self, planned: Planned) -> bool:
        """Whether a run may begin: the state that it begins with is there, or will never be."""
        index = self._index.get(id(planned))
        fork = None if index is None else self.forks[index]
        point = None if index is None else self._point(index)
        if fork is None or point is None:
            return True
        return point.is_there() or self.members[fork.source].planned.entry.status is not None

    def ended(self, planned: Planned) -> int:
        """Remove the state that a run began with, once nobody else waits for it.

        Returns:
            The steps that the run made itself although another was to make them.
        """
        index = self._index.get(id(planned))
        point = None if index is None else self._point(index)
        if index is None or point is None:
            return 0
        folder = self.members[index].folder
        took = _forked(folder)
        if took or planned.entry.is_done:
            waiting = self._waiting[point.path]
            waiting.discard(index)
            if not waiting:
                _remove(point.path)
        return 0 if took or not folder.holds_a_run() else point.step

    def _point(self, index: int) -> Point | None:
        fork = self.forks[index]
        return None if fork is None else Point(self.members[fork.source].folder, fork.step)

    def _tidy(self) -> None:
        """Remove what an earlier plan kept and this one does not need."""
        for folder in {member.folder.path.parent / FORKS for member in self.members}:
            for path in folder.glob("*/*"):
                if path not in self._waiting:
                    _remove(path)


def _forked(folder: RunFolder) -> bool:
    """Whether a run began with the state of another one."""
    first = next(read_rows(folder.timing), None) if folder.timing.exists() else None
    return first is not None and first.get("event") == "fork"


def _remove(path: Path) -> None:
    """Remove a kept state, and the folders around it once they are empty."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.parent.rmdir()
        path.parent.parent.rmdir()
