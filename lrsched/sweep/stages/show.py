"""Print a stage tree: who makes which steps, and who goes on from where."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from lrsched.sweep.stages.tree import StageTree

MOST = 20
"""Lines that are shown; a sweep over seeds has a tree for each, all alike."""


def show(stages: StageTree) -> None:
    """Print the trees of runs that share steps to stderr, if there are any."""
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    lines, shown = 0, 0
    for group in stages.trees:
        if shown and lines + len(group) > MOST:
            break
        for root in [index for index in group if stages.forks[index] is None]:
            if any(fork is not None and fork.source == root for fork in stages.forks):
                console.print(_tree(stages, group, root, MOST - lines))
        lines, shown = lines + len(group), shown + 1
    if shown < len(stages.trees):
        print(f"… and {len(stages.trees) - shown} more such trees", file=sys.stderr, flush=True)


def _tree(stages: StageTree, group: Sequence[int], root: int, most: int) -> Tree:
    """A run that makes all its steps itself, and below it those that go on from it; at most so many lines."""
    label = _label(stages, group, root)
    tree = Tree(Text(f"{here}: {label}" if (here := _only_here(stages, group)) else label))
    branches, below = {root: tree}, _below(stages, group, root)
    for source, index in below[: most - 1]:
        branches[index] = branches[source].add(Text(_label(stages, group, index)))
    hidden = len(below) - (most - 1)
    if hidden > 0:
        tree.add(Text(f"… and {hidden} more"))
    return tree


def _below(stages: StageTree, group: Sequence[int], root: int) -> list[tuple[int, int]]:
    """The runs that go on from a run, or from one of these: source and run, earlier forks first."""
    waiting = sorted((fork.step, index, fork.source) for index in group if (fork := stages.forks[index]) is not None)
    placed, below = {root}, list[tuple[int, int]]()
    while found := next((item for item in waiting if item[2] in placed), None):
        waiting.remove(found)
        placed.add(found[1])
        below.append((found[2], found[1]))
    return below


def _only_here(stages: StageTree, group: Sequence[int]) -> str:
    """What the runs of a tree have in common, and not with all others of the sweep."""
    here, everywhere = _common(stages, group), _common(stages, range(len(stages.members)))
    return " ".join(text for text in stages.members[group[0]].job.overrides if text in here - everywhere)


def _common(stages: StageTree, indices: Iterable[int]) -> set[str]:
    """The overrides that all of these runs have."""
    return set.intersection(*(set(stages.members[index].job.overrides) for index in indices))


def _label(stages: StageTree, group: Sequence[int], index: int) -> str:
    """The steps that a run makes, and what it has of its own."""
    common = _common(stages, group)
    names = [text for text in stages.members[index].job.overrides if text not in common]
    stand, fork = stages.members[index].stand, stages.forks[index]
    start = fork.step if fork is not None else 0 if stand.done else max(0, stand.at)
    state = " (finished)" if stand.done else ""
    return f"{start} → {stand.steps}{state}  {' '.join(names)}"
