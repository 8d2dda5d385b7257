"""The sum in a fixed tree: its shape, its branches, its holes."""

from __future__ import annotations

import pytest
import torch

from lrsched.ranks.tree import Growing, fold


def words(left: str, right: str) -> str:
    return f"({left}{right})"


def test_the_shape() -> None:
    assert fold(list("abcdefgh"), words) == "(((ab)(cd))((ef)(gh)))"
    assert fold(list("abcdef"), words) == "(((ab)(cd))(ef))"
    assert fold(["a", None, "c", None], words) == "(ac)"
    assert fold([None, None], words) is None


@pytest.mark.parametrize("filled", range(9))
def test_leaves_one_after_the_other_are_the_same_tree(filled: int) -> None:
    leaves = list("abcdefgh")[:filled]
    growing = Growing(words)
    for leaf in leaves:
        growing.push(leaf)
    assert growing.total() == fold([*leaves, *[None] * (8 - filled)], words)
    growing.push("z")  # empty again
    assert growing.total() == "z"


@pytest.mark.parametrize("filled", range(1, 9))
@pytest.mark.parametrize("branches", [2, 4, 8])
def test_branches_summed_apart_are_the_same_tree(filled: int, branches: int) -> None:
    leaves = [*list("abcdefgh")[:filled], *[None] * (8 - filled)]
    each = 8 // branches
    sums = [fold(leaves[begin : begin + each], words) for begin in range(0, 8, each)]
    assert fold(sums, words) == fold(leaves, words)


def test_an_empty_leaf_is_no_zero() -> None:
    nothing = torch.tensor([-0.0])
    assert fold([nothing, None], torch.add) is nothing
    assert str(torch.add(nothing, torch.zeros(1)).item()) == "0.0"  # which is why
