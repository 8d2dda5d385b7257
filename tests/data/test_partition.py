"""Samples are dealt out by class, by group, in order, or in folds: sums, seeds, and cases by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lrsched.data.counts import training_samples
from lrsched.data.data import Data
from lrsched.data.partition import Partition
from lrsched.data.split import split
from lrsched.errors import ConfigError, DataError

LABELS = torch.tensor([0] * 50 + [1] * 31 + [2] * 16)
GROUPS = torch.tensor([7] * 4 + [3] * 1 + [9] * 2 + [5] * 3 + [1] * 6 + [2] * 4)


def everything(*parts: Tensor) -> list[int]:
    return torch.cat(parts).sort().values.tolist()


@pytest.mark.parametrize("test", [None, 0.2])
@pytest.mark.parametrize("fold", [None, 0, 4])
@pytest.mark.parametrize(
    ("rules", "counted"),
    [({}, True), ({"strata": LABELS}, True), ({"groups": LABELS * 7 + torch.arange(97) % 13}, False)],
    ids=["random", "strata", "groups"],
)
def test_every_sample_is_in_one_part(
    rules: dict[str, Any], counted: bool, fold: int | None, test: float | None
) -> None:
    parts = Partition(97, **rules).parts(validation=0.1, test=test, seed=0, fold=fold)
    assert len(parts) == (2 if test is None else 3)
    assert everything(*parts) == list(range(97))
    assert all(torch.equal(part, part.sort().values) for part in parts)
    if counted:  # a preview counts the samples without the data
        own = 0 if test else 1
        assert len(parts[0]) == training_samples(97, own, validation_fraction=0.1, test_fraction=0.2, fold=fold)


def test_at_random_the_number_is_round_half_up() -> None:
    rest, held = Partition(45).hold_out(0.1, 0, "test")  # 4.5
    assert (len(rest), len(held)) == (40, 5)
    assert held.tolist() != list(range(40, 45))


def test_seed_and_purpose_decide_and_nothing_else() -> None:
    before = torch.get_rng_state()
    several: list[dict[str, Any]] = [{}, {"strata": LABELS}, {"groups": torch.arange(97) // 3}]
    for rules in several:
        some = Partition(97, **rules)
        first = some.hold_out(0.2, 0, "test")[1].tolist()
        assert some.hold_out(0.2, 0, "test")[1].tolist() == first
        assert some.hold_out(0.2, 1, "test")[1].tolist() != first
        assert some.hold_out(0.2, 0, "validation")[1].tolist() != first
        assert some.fold(0, 5, 0)[1].tolist() == some.fold(0, 5, 0)[1].tolist()
        assert some.fold(0, 5, 0)[1].tolist() != some.fold(0, 5, 1)[1].tolist()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_last_part_keeps_order() -> None:
    """20 samples: 0.2 · 20 = 4 test, then 0.25 · 16 = 4 validate."""
    parts = Partition(20, last=True).parts(validation=0.25, test=0.2, seed=3)
    assert [part.tolist() for part in parts] == [list(range(12)), list(range(12, 16)), list(range(16, 20))]


def test_the_last_part_does_not_mind_classes() -> None:
    parts = Partition(20, torch.arange(20) // 10, last=True).parts(validation=0.25, test=0.2, seed=3)
    assert parts[2].tolist() == [16, 17, 18, 19]


def test_a_gap_is_in_no_part() -> None:
    """20 samples: 4 test; a gap of 2 leaves 14, of which 0.25 · 14 = 3.5 → 4 validate; a gap of 2 leaves 8."""
    parts = Partition(20, last=True, gap=2).parts(validation=0.25, test=0.2, seed=0)
    assert [part.tolist() for part in parts] == [list(range(8)), list(range(10, 14)), list(range(16, 20))]


def test_a_gap_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^test=0.2: holds out 1 of 5 samples, after a gap of 4; give"):
        Partition(5, last=True, gap=4).hold_out(0.2, 0, "test")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.9])
def test_a_group_is_never_cut(seed: int, fraction: float) -> None:
    rest, held = Partition(20, groups=GROUPS).hold_out(fraction, seed, "test")
    assert everything(rest, held) == list(range(20))
    assert len(rest)
    assert len(held)
    assert not set(GROUPS[rest].tolist()) & set(GROUPS[held].tolist())


def test_groups_come_nearest_to_the_fraction_in_their_random_order() -> None:
    """Groups of one size: the number of groups is that of samples at random."""
    rest, held = Partition(100, groups=torch.arange(100) // 5).hold_out(0.2, 0, "test")
    assert (len(rest), len(held)) == (80, 20)


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_either_part_has_a_group(fraction: float) -> None:
    rest, held = Partition(4, groups=torch.tensor([0, 0, 1, 1])).hold_out(fraction, 0, "test")
    assert (len(rest), len(held)) == (2, 2)


def test_one_group_cannot_be_held_out() -> None:
    with pytest.raises(ConfigError, match=r"^test=0.2: holds out whole groups, and there is one"):
        Partition(4, groups=torch.zeros(4, dtype=torch.int64)).hold_out(0.2, 0, "test")


@pytest.mark.parametrize("folds", [2, 5, 7])
@pytest.mark.parametrize("strata", [None, LABELS], ids=["random", "strata"])
def test_folds_are_the_samples_dealt_out(strata: Tensor | None, folds: int) -> None:
    some = Partition(97, strata)
    held = [some.fold(fold, folds, 0)[1] for fold in range(folds)]
    assert everything(*held) == list(range(97))
    assert max(map(len, held)) - min(map(len, held)) <= 1
    for fold, part in enumerate(held):
        assert everything(some.fold(fold, folds, 0)[0], part) == list(range(97))
    if strata is not None:
        counts = torch.stack([strata[part].bincount(minlength=3) for part in held])
        assert int((counts.max(0).values - counts.min(0).values).max()) <= 1


def test_folds_of_groups_are_whole_and_alike() -> None:
    """Sizes 6, 4, 4, 3, 2, 1 into 2 folds, the largest first to the smaller: 6 + 3 + 1 (or 2), 4 + 4 + 2 (or 1)."""
    some = Partition(20, groups=GROUPS)
    held = [some.fold(fold, 2, 0)[1] for fold in range(2)]
    assert everything(*held) == list(range(20))
    assert sorted(map(len, held)) == [10, 10]
    assert not set(GROUPS[held[0]].tolist()) & set(GROUPS[held[1]].tolist())


def test_a_held_out_test_part_is_the_same_for_every_fold() -> None:
    some = Partition(97, LABELS)
    tests = [some.parts(validation=0.1, test=0.2, seed=0, fold=fold)[2].tolist() for fold in range(5)]
    assert all(test == tests[0] for test in tests)
    assert tests[0] == some.parts(validation=0.1, test=0.2, seed=0)[2].tolist()


@pytest.mark.parametrize(
    ("rules", "fold", "folds", "message"),
    [
        ({}, 5, 5, r"^fold=5: must lie in 0 … 4"),
        ({}, -1, 5, r"^fold=-1: must lie in 0 … 4"),
        ({}, 0, 1, r"^folds=1: must be at least 2"),
        ({}, 0, 21, r"^folds=21: there are 20 samples; give fewer"),
        ({"groups": GROUPS}, 0, 7, r"^folds=7: there are 6 groups; give fewer"),
        ({"last": True}, 0, 5, r"^fold=0: these samples stay in order"),
    ],
)
def test_folds_that_cannot_be_are_refused(rules: dict[str, Any], fold: int, folds: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Partition(20, **rules).fold(fold, folds, 0)


def test_few_samples_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^test=0.2: holds out 0 of 1 samples"):
        Partition(1).hold_out(0.2, 0, "test")
    with pytest.raises(ConfigError, match=r"^test=0.9: holds out 2 of 2 samples"):
        Partition(2).hold_out(0.9, 0, "test")


def test_samples_keep_their_targets_weights_and_groups() -> None:
    n = torch.arange(60)
    data = Data((n[:, None].float(), n.float(), n / 60), groups=n // 4)
    parts = split(data, validation=0.2, test=0.2, seed=1)
    assert [p.tolist() for p in parts.places] == [
        p[1].long().tolist() for p in (parts.train, parts.validation, parts.test)
    ]
    for x, y, weight in (parts.train, parts.validation, parts.test):
        assert torch.equal(x[:, 0], y)
        assert torch.equal(weight, y / 60)


def test_groups_and_order_exclude_one_another() -> None:
    with pytest.raises(DataError, match=r"^groups: are drawn at random, and order=last keeps samples in order"):
        Data((torch.zeros(4, 1), torch.zeros(4)), groups=torch.arange(4), order="last")
