"""The stage tree of a sweep: which runs share their first steps, and in what order the runs begin."""

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
    """The state that each run starts from; made before the jobs start, in a process that has torch and the data.

    If a run dies before it has saved a state for others, these are replanned from the states that exist and those
    still to come.

    Args:
        jobs: all valid jobs of the sweep, including finished ones.
        loaded: the data sets in memory.
        share: whether runs may start from states of others.
    """

    def __init__(self, jobs: Sequence[Valid], loaded: Mapping[str, Loaded], *, share: bool) -> None:
        once = {job.run_id: job for job in jobs}.values()
        self.members = [member for job in once if (member := member_of(job, loaded)) is not None]
        self._index = {member.job.run_id: index for index, member in enumerate(self.members)}
        self._groups = list(groups(self.members, loaded)) if share else []
        self._keeps: dict[int, frozenset[int]] = {}  # of each run that has begun: the states it saves for others
        self._settled: set[int] = set()  # runs that need no state any more
        self.forks: list[Fork | None] = [None] * len(self.members)
        self._assign_forks(self._groups)

    @property
    def trees(self) -> list[list[int]]:
        """The numbers of the members that share steps, tree by tree."""
        return [group.indices for group in self._groups if any(self.forks[index] for index in group.indices)]

    @property
    def asked(self) -> int:
        """Updates of all runs together, including finished ones."""
        return sum(member.stand.steps for member in self.members)

    @property
    def steps(self) -> int:
        """Updates to make by runs that have not begun."""
        return sum(to_train(self._stands(), self.forks))

    def choose(self, due: Sequence[Valid], waiting: Iterable[int]) -> int | None:
        """The waiting job to begin: of those that can, the one with most work behind it; None if none can."""
        missing: set[Fork] = set()
        for number in sorted(waiting, key=lambda number: -self._weights.get(due[number].run_id, 0)):
            index = self._index.get(due[number].run_id)
            fork = None if index is None else self.forks[index]
            if fork is None or (fork not in missing and self._is_served(fork)):
                return number
            missing.add(fork)
        return None

    def share_of(self, job: Valid) -> Share:
        """The state that a run starts from, and those that it saves for others."""
        index = self._index.get(job.run_id)
        if index is None:
            return Share()
        wanted = {fork.step for fork in self.forks if fork is not None and fork.source == index}
        fork = self.forks[index]
        return Share(fork and self._point(fork), frozenset(wanted - self.members[index].stand.kept))

    def begin(self, job: Valid) -> int:
        """Record that a run begins: the states it saves for others are fixed from now on.

        Returns:
            The updates that it has to make itself; 0 if its length is unknown.
        """
        index = self._index.get(job.run_id)
        if index is None:
            return 0
        steps = to_train([self._stand(index)], [self.forks[index]])[0]
        self._keeps[index] = self.share_of(job).keep
        return steps

    def end(self, job: Valid) -> int:
        """Record that a run ended, remove states that no run needs, and replan runs whose state will never come.

        Returns:
            The number of replanned runs.
        """
        index = self._index.get(job.run_id)
        if index is None:
            return 0
        fork = self.forks[index]
        if fork is not None and (job.entry.is_done or forked_at(job.folder) is not None):
            self._settled.add(index)
            if fork not in self._needed():
                _remove(self._point(fork).path)
        lost = [i for i, other in enumerate(self.forks) if other and other.source == index and self._waits_in_vain(i)]
        if lost:
            self._assign_forks([group for group in self._groups if index in group.indices])
        return len(lost)

    def _assign_forks(self, groups: Iterable[Group]) -> None:
        """Let the runs of these groups that have not begun fork where they share most."""
        for group in groups:
            forks = plan_forks([self._stand(index) for index in group.indices], group.shared)
            for index, fork in zip(group.indices, forks, strict=True):
                if index not in self._keeps:
                    self.forks[index] = None if fork is None else Fork(group.indices[fork.source], fork.step)
        longest = critical_paths(self._stands(), self.forks)
        self._weights = {member.job.run_id: steps for member, steps in zip(self.members, longest, strict=True)}
        self._tidy()

    def _needed(self) -> set[Fork]:
        """The states that a run has still to start from."""
        return {fork for index, fork in enumerate(self.forks) if fork is not None and index not in self._settled}

    def _stands(self) -> list[Stand]:
        return [self._stand(index) for index in range(len(self.members))]

    def _stand(self, index: int) -> Stand:
        """Where a run stands; once it has begun, it serves others only with the states it saves for them."""
        member = self.members[index]
        if index not in self._keeps:
            return member.stand
        kept = member.stand.kept | self._keeps[index]
        if member.job.entry.status is not None:
            kept = frozenset(step for step in kept if Point(member.job.folder, step).is_there())
        return replace(member.stand, done=True, kept=kept)

    def _is_served(self, fork: Fork) -> bool:
        """Whether the wait for a state is over: it exists, or will never exist."""
        return self._point(fork).is_there() or self.members[fork.source].job.entry.status is not None

    def _waits_in_vain(self, index: int) -> bool:
        fork, closed = self.forks[index], index in self._keeps or self.members[index].job.entry.status is not None
        return fork is not None and not closed and not self._point(fork).is_there()

    def _point(self, fork: Fork) -> Point:
        return Point(self.members[fork.source].job.folder, fork.step)

    def _tidy(self) -> None:
        """Remove the states that no run needs any more."""
        needed = {self._point(fork).path for fork in self._needed()}
        for folder in {member.job.folder.path.parent / FORKS for member in self.members}:
            for path in folder.glob("*/*"):
                if path not in needed:
                    _remove(path)


def _remove(path: Path) -> None:
    """Remove a saved state, and its parent folders once they are empty."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.parent.rmdir()
        path.parent.parent.rmdir()
