"""The order of an epoch of very many samples: a keyed one-to-one map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrsched.data.loader import order
from lrsched.data.stream import permutation
from lrsched.data.stream.permutation import Order, Permutation, whole_order


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 64, 65, 1000])
def test_every_number_comes_once(samples: int) -> None:
    for epoch in range(5):
        assert sorted(Permutation(samples, 0, epoch).at(np.arange(samples)).tolist()) == list(range(samples))


def test_a_part_is_the_part_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "LISTED", 100)
    assert torch.equal(Order(3, 100).part(1, 20, 120), order(3, 1, 100)[20:])
    whole = whole_order(3, 1, 101)
    assert sorted(whole.tolist()) == list(range(101))
    assert torch.equal(Order(3, 101).part(1, 20, 120), whole[20:])


def test_seeds_and_epochs_differ_and_their_orders_look_random() -> None:
    """Each number is at each place about equally often: χ² over 16 × 16 cells of 4,000 orders, 225 degrees."""
    orders = np.array([Permutation(16, seed, epoch).at(np.arange(16)) for seed in range(40) for epoch in range(100)])
    counts = np.array([np.bincount(orders[:, place], minlength=16) for place in range(16)])
    assert 150 < ((counts - 250) ** 2 / 250).sum() < 310
    neighbours = np.bincount((orders[:, 1] - orders[:, 0]) % 16, minlength=16)[1:]
    assert ((neighbours - 4000 / 15) ** 2 / (4000 / 15)).sum() < 37  # 14 degrees: 1 in 1,000


def test_a_billion_samples_need_no_memory() -> None:
    found = Order(0, 10**9).part(2, 10**9 - 5, 10**9 + 5)
    assert len(found) == 5
    assert len(set(found.tolist())) == 5
    assert int(found.max()) < 10**9
