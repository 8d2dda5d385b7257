"""Print a stage tree: the steps that each run makes, and the run it forks from."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from lrsched.sweep.combinations import in_common
from lrsched.sweep.stages.prefix import start
from lrsched.sweep.stages.tree import StageTree

MOST = 20
"""Lines to print; a sweep over seeds has one tree per seed, all alike."""


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
    """A run that makes all its steps itself, and below it the runs that fork from it; at most so many lines."""
    jobs = [member.job.overrides for member in stages.members]
    common = in_common([jobs[index] for index in group])
    only_here = " ".join(text for text in jobs[group[0]] if text in common - in_common(jobs))
    label = _label(stages, root, common)
    tree = Tree(Text(f"{only_here}: {label}" if only_here else label))
    branches, below = {root: tree}, _below(stages, group, root)
    for source, index in below[: most - 1]:
        branches[index] = branches[source].add(Text(_label(stages, index, common)))
    hidden = len(below) - (most - 1)
    if hidden > 0:
        tree.add(Text(f"… and {hidden} more"))
    return tree


def _label(stages: StageTree, index: int, common: set[str]) -> str:
    """The steps that a run makes, and the overrides that distinguish it in its tree."""
    job, stand = stages.members[index].job, stages.members[index].stand
    names = " ".join(text for text in job.overrides if text not in common)
    if stand.done:
        return f"0 → {stand.steps} (finished)  {names}"
    return f"{start(stand, stages.forks[index])} → {stand.steps}  {names}"


def _below(stages: StageTree, group: Sequence[int], root: int) -> list[tuple[int, int]]:
    """The runs that descend from a run, as pairs of source and run, earlier forks first."""
    waiting = sorted((fork.step, index, fork.source) for index in group if (fork := stages.forks[index]) is not None)
    placed, below = {root}, list[tuple[int, int]]()
    while found := next((item for item in waiting if item[2] in placed), None):
        waiting.remove(found)
        placed.add(found[1])
        below.append((found[2], found[1]))
    return below
