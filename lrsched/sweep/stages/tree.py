"""The stage tree of a sweep: which runs make their first steps together, and in what order they begin."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lrsched.assembly.data import Loaded
from lrsched.checkpoint.fork_point import FORKS, Point, Share
from lrsched.runs.steps import forked_at
from lrsched.sweep.stages.members import Group, groups, member_of
from lrsched.sweep.stages.prefix import Fork, Stand, critical_paths, plan_forks, to_train
from lrsched.sweep.sweep import Valid


class StageTree:
    """Who begins with whose state; made before the jobs start, in a process that has torch and the data.

    A run that dies before it has kept a state for others is not waited for: these are planned anew, from the
    states that there are and those that are still to come.

    Args:
        jobs: all valid jobs of the sweep, finished ones too.
        loaded: the data sets in memory.
        share: whether runs may begin with states of others.
    """

    def __init__(self, jobs: Sequence[Valid], loaded: Mapping[str, Loaded], *, share: bool) -> None:
        once = {job.run_id: job for job in jobs}.values()
        self.members = [member for job in once if (member := member_of(job, loaded)) is not None]
        self._index = {member.job.run_id: index for index, member in enumerate(self.members)}
        self._groups = list(groups(self.members, loaded)) if share else []
        self._keeps: dict[int, frozenset[int]] = {}  # of the runs that are begun: the states that they keep
        self._settled: set[int] = set()  # those that need no state any more
        self.forks: list[Fork | None] = [None] * len(self.members)
        self._assign_forks(self._groups)

    @property
    def trees(self) -> list[list[int]]:
        """The numbers of the members that go on from each other, tree by tree."""
        return [group.indices for group in self._groups if any(self.forks[index] for index in group.indices)]

    @property
    def asked(self) -> int:
        """Updates of all runs together, finished ones too."""
        return sum(member.stand.steps for member in self.members)

    @property
    def steps(self) -> int:
        """Updates to make by runs that are not begun."""
        return sum(to_train(self._stands(), self.forks))

    def steps_of(self, job: Valid) -> int:
        """Updates a run has to make itself; 0 if its length is unknown."""
        index = self._index.get(job.run_id)
        return 0 if index is None else to_train([self._stand(index)], [self.forks[index]])[0]

    def choose(self, due: Sequence[Valid], waiting: Iterable[int]) -> int | None:
        """The waiting job to begin: of those that can, the one most others depend on; None if none can."""
        vain: set[Fork] = set()
        for number in sorted(waiting, key=lambda number: -self._weights.get(due[number].run_id, 0)):
            index = self._index.get(due[number].run_id)
            fork = None if index is None else self.forks[index]
            if fork is None or (fork not in vain and self._is_served(fork)):
                return number
            vain.add(fork)
        return None

    def share_of(self, job: Valid) -> Share:
        """The state that a run begins with, and those that it keeps for others."""
        index = self._index.get(job.run_id)
        if index is None:
            return Share()
        wanted = {fork.step for fork in self.forks if fork is not None and fork.source == index}
        fork = self.forks[index]
        return Share(fork and self._point(fork), frozenset(wanted - self.members[index].stand.kept))

    def begin(self, job: Valid) -> None:
        """Note that a run begins: what it keeps for others stands from now on."""
        index = self._index.get(job.run_id)
        if index is not None:
            self._keeps[index] = self.share_of(job).keep

    def end(self, job: Valid) -> int:
        """Note that a run ended, remove states no run needs, and plan runs anew that wait in vain.

        Returns:
            How many these are.
        """
        index = self._index.get(job.run_id)
        if index is None:
            return 0
        fork = self.forks[index]
        if fork is not None and (job.entry.is_done or forked_at(self.members[index].folder) is not None):
            self._settled.add(index)
            self._needed[fork].discard(index)
            if not self._needed[fork]:
                _remove(self._point(fork).path)
        lost = [i for i, other in enumerate(self.forks) if other and other.source == index and self._waits_in_vain(i)]
        if lost:
            self._assign_forks([group for group in self._groups if index in group.indices])
        return len(lost)

    def _assign_forks(self, groups: Iterable[Group]) -> None:
        """Let the runs of these groups that are not begun fork where they share most."""
        for group in groups:
            forks = plan_forks([self._stand(index) for index in group.indices], group.shared)
            for index, fork in zip(group.indices, forks, strict=True):
                if index not in self._keeps:
                    self.forks[index] = None if fork is None else Fork(group.indices[fork.source], fork.step)
        self._needed: dict[Fork, set[int]] = {}
        for index, fork in enumerate(self.forks):
            if fork is not None and index not in self._settled:
                self._needed.setdefault(fork, set()).add(index)
        longest = critical_paths(self._stands(), self.forks)
        self._weights = {member.job.run_id: steps for member, steps in zip(self.members, longest, strict=True)}
        self._tidy()

    def _stands(self) -> list[Stand]:
        return [self._stand(index) for index in range(len(self.members))]

    def _stand(self, index: int) -> Stand:
        """Where a run stands; one that is begun serves others with what it keeps, and that is settled."""
        member = self.members[index]
        if index not in self._keeps:
            return member.stand
        kept = member.stand.kept | self._keeps[index]
        if member.job.entry.status is not None:
            kept = frozenset(step for step in kept if Point(member.folder, step).is_there())
        return replace(member.stand, done=True, kept=kept)

    def _is_served(self, fork: Fork) -> bool:
        """Whether the wait for a state is over: it is there, or will never be."""
        return self._point(fork).is_there() or self.members[fork.source].job.entry.status is not None

    def _waits_in_vain(self, index: int) -> bool:
        fork, begun = self.forks[index], index in self._keeps
        closed = begun or self.members[index].job.entry.status is not None
        return fork is not None and not closed and not self._point(fork).is_there()

    def _point(self, fork: Fork) -> Point:
        return Point(self.members[fork.source].folder, fork.step)

    def _tidy(self) -> None:
        """Remove the states no run needs any more."""
        needed = {self._point(fork).path for fork in self._needed}
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
