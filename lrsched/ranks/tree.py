"""Sum in one fixed binary tree, so that the bits do not depend on who adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


def fold(leaves: Sequence[T | None], add: Callable[[T, T], T]) -> T | None:
    """Add neighbours, then the sums of neighbours, up to the root.

    ::

        ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7))

    Floating-point addition commutes and does not associate: the shape decides the bits. A leaf that is None adds
    nothing (a zero would make 0.0 of -0.0), and missing leaves at the end are such leaves: an aligned part of
    the leaves, 2^k long, can be folded by itself and put in the place of its sum.

    Args:
        leaves: at least one; None: it is empty.
        add: the sum of two; may write into the first.

    Returns:
        The sum; None if all leaves are empty.

    >>> fold(["a", "b", "c", None, "e"], lambda left, right: f"({left}{right})")
    '(((ab)c)e)'
    """
    level = list(leaves)
    while len(level) > 1:
        level += [None] * (len(level) % 2)
        level = [_sum(left, right, add) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


class Growing(Generic[T]):
    """The same sum of leaves that come one after the other, with no more sums alive than the tree is high.

    Args:
        add: the sum of two; may write into the first.

    >>> tree = Growing(lambda left, right: f"({left}{right})")
    >>> for leaf in ["a", "b", "c", None, "e"]:
    ...     tree.push(leaf)
    >>> tree.total()
    '(((ab)c)e)'
    """

    def __init__(self, add: Callable[[T, T], T]) -> None:
        self._add = add
        self._sums: list[T | None] = []
        self._pushed = 0

    def push(self, leaf: T | None) -> None:
        """Add the next leaf, and all sums that it completes."""
        self._pushed += 1
        whole = self._pushed
        while whole % 2 == 0:
            leaf = _sum(self._sums.pop(), leaf, self._add)
            whole //= 2
        self._sums.append(leaf)

    def total(self) -> T | None:
        """The sum of all leaves; the tree is empty afterwards."""
        total: T | None = None
        while self._sums:  # the shortest first: those after it are missing leaves
            total = _sum(self._sums.pop(), total, self._add)
        self._pushed = 0
        return total


def _sum(left: T | None, right: T | None, add: Callable[[T, T], T]) -> T | None:
    if left is None or right is None:
        return right if left is None else left
    return add(left, right)
