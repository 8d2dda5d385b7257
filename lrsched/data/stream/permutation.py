"""The order of an epoch of very many samples, as a function: nothing of it is kept in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lrsched.data.loader import order
from lrsched.seeds import key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

LISTED = 10**7
"""Samples up to which the order of an epoch is a list, as for data in memory."""

ROUNDS = 8


class Permutation:
    """A keyed one-to-one map of the whole numbers below ``samples``: a Feistel network with cycle walking.

    The numbers of just enough bits, 2^b ≥ n, are cut into halves, and each half in turn is changed by a keyed hash of
    the other, ``left ^= hash(right)``; every such round can be undone, so that no two numbers meet. A result that is
    not below n goes through the network again until it is, as on a cycle: at most twice in the mean, for 2^b < 2n.

    Args:
        samples: n, at least 1.
        seed, epoch: of the order, which is drawn anew for each pair.

    >>> sorted(Permutation(6, seed=0, epoch=1).at(np.arange(6)).tolist())
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, samples: int, seed: int, epoch: int) -> None:
        bits = max(2, (samples - 1).bit_length())
        self._samples, self._low = np.uint64(samples), np.uint64(bits // 2)
        self._masks = np.uint64(2 ** (bits // 2) - 1), np.uint64(2 ** (bits - bits // 2) - 1)
        self._keys = [np.uint64(key(seed, "shuffle", epoch, number)) for number in range(ROUNDS)]

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers at some places of the order."""
        found = self._once(places.astype(np.uint64))
        while (beyond := found >= self._samples).any():
            found[beyond] = self._once(found[beyond])
        return found.astype(np.int64)

    def _once(self, numbers: Words) -> Words:
        low, (low_mask, high_mask) = self._low, self._masks
        right, left = numbers & low_mask, numbers >> low
        for number, word in enumerate(self._keys):
            if number % 2:
                right = right ^ (_hash(left ^ word) & low_mask)
            else:
                left = left ^ (_hash(right ^ word) & high_mask)
        return (left << low) | right


def _hash(words: Words) -> Words:
    """Mix the bits of each word: two rounds of multiplication and shift (splitmix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


class Order:
    """The order of any epoch, a part at a time.

    Args:
        seed: of the run.
        samples: of an epoch. Up to :data:`LISTED` of them are listed, for two epochs at once, that of the update and
            that of the batches which are made ahead; more are computed.
    """

    def __init__(self, seed: int, samples: int) -> None:
        self._seed, self._samples = seed, samples
        self._listed: dict[int, Tensor] = {}

    def part(self, epoch: int, start: int, end: int) -> Tensor:
        """The numbers from place ``start`` up to, without, place ``end``, int64."""
        end = min(end, self._samples)
        if self._samples > LISTED:
            return torch.from_numpy(Permutation(self._samples, self._seed, epoch).at(np.arange(start, end)))
        if epoch not in self._listed:
            kept = list(self._listed.items())[-1:]
            self._listed = {**dict(kept), epoch: order(self._seed, epoch, self._samples)}
        return self._listed[epoch][start:end]


def whole_order(seed: int, epoch: int, samples: int) -> Tensor:
    """The whole order of an epoch as a list, int64 [samples], however long: for a run that changes its pace."""
    return Order(seed, samples).part(epoch, 0, samples)
