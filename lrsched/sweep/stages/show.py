"""The plan of a sweep as a tree: who makes which steps, and who goes on from where."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from lrsched.sweep.stages.tree import Plan

MOST = 20
"""Lines that are shown; a sweep over seeds has a tree for each, all alike."""


def show(plan: Plan) -> None:
    """Print the trees of runs that share steps to stderr, if there are any."""
    lines, shown = 0, 0
    for cell in plan.trees:
        if shown and lines + len(cell) > MOST:
            break
        console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        for root in [index for index in cell if plan.forks[index] is None]:
            if any(fork is not None and fork.source == root for fork in plan.forks):
                console.print(_tree(plan, cell, root, MOST - lines))
        lines, shown = lines + len(cell), shown + 1
    if shown < len(plan.trees):
        print(f"… and {len(plan.trees) - shown} more such trees", file=sys.stderr, flush=True)


def _tree(plan: Plan, cell: Sequence[int], root: int, most: int) -> Tree:
    """A run that makes all its steps itself, and below it those that go on from it."""
    label = _label(plan, cell, root)
    tree = Tree(Text(f"{here}: {label}" if (here := _only_here(plan, cell)) else label))
    branches, left = {root: tree}, most - 1
    takers = sorted((fork.step, index) for index in cell if (fork := plan.forks[index]) is not None)
    waiting = [index for _, index in takers]
    hidden = 0
    while found := [index for index in waiting if _source(plan, index) in branches]:
        index = found[0]
        waiting.remove(index)
        if left <= 0 or hidden:
            hidden += 1
            branches[index] = branches[_source(plan, index)]
            continue
        branches[index], left = branches[_source(plan, index)].add(Text(_label(plan, cell, index))), left - 1
    if hidden:
        tree.add(Text(f"… and {hidden} more"))
    return tree


def _only_here(plan: Plan, cell: Sequence[int]) -> str:
    """What the runs of a tree have in common, and not with all others of the sweep."""
    here, everywhere = _common(plan, cell), _common(plan, range(len(plan.members)))
    return " ".join(text for text in plan.members[cell[0]].planned.overrides if text in here - everywhere)


def _common(plan: Plan, indices: Iterable[int]) -> set[str]:
    """The overrides that all of these runs have."""
    return set.intersection(*(set(plan.members[index].planned.overrides) for index in indices))


def _label(plan: Plan, cell: Sequence[int], index: int) -> str:
    """The steps that a run makes, and what it has of its own."""
    common = _common(plan, cell)
    names = [text for text in plan.members[index].planned.overrides if text not in common]
    stand, fork = plan.members[index].stand, plan.forks[index]
    start = fork.step if fork is not None else 0 if stand.done else max(0, stand.at)
    state = " (finished)" if stand.done else ""
    return f"{start} → {stand.steps}{state}  {' '.join(names)}"


def _source(plan: Plan, index: int) -> int:
    fork = plan.forks[index]
    assert fork is not None
    return fork.source
