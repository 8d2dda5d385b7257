"""Deal samples out to a training, a validation and a test part, by a seed of its own."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from lrsched.data.counts import check_fold, check_fraction, held_out, left_of
from lrsched.errors import ConfigError
from lrsched.seeds import key


@dataclass(frozen=True, eq=False)
class Partition:
    """Samples, and what must hold when some of them are held out.

    Args:
        samples: how many there are.
        strata: int64 [N] or None: classes that each part shall hold alike.
        groups: int64 [N] or None: samples of one number stay together; classes are not minded then.
        last: the held-out part is the last samples, in order.
        gap: with ``last``, samples to leave out before each held-out part.
    """

    samples: int
    strata: Tensor | None = None
    groups: Tensor | None = None
    last: bool = False
    gap: int = 0

    def parts(
        self, *, validation: float, test: float | None, seed: int, fold: int | None = None, folds: int = 5
    ) -> tuple[Tensor, ...]:
        """Where the samples of each part lie, int64 [N] each: training, validation, and test if it is held out.

        Args:
            validation: fraction of what is left without the test part; unused with ``fold``.
            test: fraction of the whole; None: not held out.
            seed: of the split, not of the run: runs of different seeds share their test samples.
            fold: number of the fold that validates, from 0, or None.
            folds: how many there are.

        Raises:
            ConfigError: a fraction outside (0, 1), or one that leaves a part without a class, a group or a sample.
        """
        if test is None:
            rest, tested = torch.arange(self.samples), ()
        else:
            rest, held = self.hold_out(test, seed, "test")
            tested = (held,)
        left = self.of(rest)
        if fold is None:
            training, validating = left.hold_out(validation, seed, "validation")
        else:
            training, validating = left.fold(fold, folds, seed)
        return rest[training], rest[validating], *tested

    def of(self, these: Tensor) -> Partition:
        """The same rules for some of the samples."""
        strata = None if self.strata is None else self.strata[these]
        groups = None if self.groups is None else self.groups[these]
        return Partition(len(these), strata, groups, self.last, self.gap)

    def hold_out(self, fraction: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Hold out a fraction of the samples: indices of the rest and of the held-out part, both sorted.

        Args:
            fraction: above 0 and below 1.
            seed, purpose: key of the draw; ``purpose`` is also the config key in errors.

        Raises:
            ConfigError: as for :meth:`parts`.
        """
        check_fraction(purpose, fraction)
        if self.groups is not None:
            return _by_group(self.groups, fraction, seed, purpose)
        if self.strata is not None and not self.last:
            return stratified(self.strata, fraction, seed, purpose)
        count, gap = held_out(self.samples, fraction), self.gap if self.last else 0
        left = left_of(self.samples, count, purpose, fraction, gap)
        order = torch.arange(self.samples) if self.last else _shuffled(self.samples, seed, f"split/{purpose}")
        return order[:left].sort().values, order[left + gap :].sort().values

    def fold(self, fold: int, folds: int, seed: int) -> tuple[Tensor, Tensor]:
        """Hold out one of ``folds`` parts of (nearly) equal size, which together are all samples.

        Shuffles the samples of each class, lays class after class in a row, and deals them out like cards: classes
        and parts differ by one sample at most. Groups stay whole: the largest goes first, each to the part that is
        the smallest so far.

        Raises:
            ConfigError: no such fold, fewer samples or groups than folds, or samples that must stay in order.
        """
        check_fold(fold, folds, samples=folds if self.groups is not None else self.samples, ordered=self.last)
        number = self._folds(folds, seed) if self.groups is None else _deal_groups(self.groups, folds, seed)
        return (number != fold).nonzero().flatten(), (number == fold).nonzero().flatten()

    def _folds(self, folds: int, seed: int) -> Tensor:
        """The fold of each sample."""
        if self.strata is None:
            dealt = _shuffled(self.samples, seed, "split/fold")
        else:
            members = [(self.strata == label).nonzero().flatten() for label in self.strata.unique().tolist()]
            dealt = torch.cat([these[_shuffled(len(these), seed, "split/fold", n)] for n, these in enumerate(members)])
        number = torch.empty(self.samples, dtype=torch.int64)
        number[dealt] = torch.arange(self.samples) % folds
        return number


def stratified(labels: Tensor, fraction: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """Hold out a fraction of the samples, of each class alike.

    The held-out part has round(fraction·N) samples, half up, in exact decimal arithmetic. A class of n
    samples gives ⌊fraction·n⌋ of them; the classes with the largest remainders give one more each until
    the number is reached, lower labels first (Hamilton's method).

    Args:
        labels: int64 [N].
        fraction: above 0 and below 1.
        seed, purpose: key of the draw; ``purpose`` is also the config key in errors.

    Returns:
        Indices of the rest and of the held-out part, int64, both sorted.

    Raises:
        ConfigError: a fraction outside (0, 1), or one that leaves either part without a class.

    >>> labels = torch.tensor([0] * 6 + [1] * 3)
    >>> rest, held = stratified(labels, 0.5, seed=0, purpose="test")  # 9/2 → 5 samples, of quotas 3 and 3/2
    >>> labels[rest].tolist(), labels[held].tolist()
    ([0, 0, 0, 1], [0, 0, 0, 1, 1])
    """
    check_fraction(purpose, fraction)
    members = {label: (labels == label).nonzero().flatten() for label in labels.unique().tolist()}
    wanted = _apportion({label: len(these) for label, these in members.items()}, fraction)
    rest, held = [], []
    for label, these in members.items():
        if not 0 < wanted[label] < len(these):
            side = "held-out part" if not wanted[label] else "rest"
            rule = f"leaves no sample of class {label} in the {side}: it has {len(these)} of {len(labels)}"
            raise ConfigError(purpose, fraction, rule, "give a fraction nearer to 0.5, or more data")
        shuffled = these[_shuffled(len(these), seed, f"split/{purpose}", label)]
        held.append(shuffled[: wanted[label]])
        rest.append(shuffled[wanted[label] :])
    return torch.cat(rest).sort().values, torch.cat(held).sort().values


def _by_group(groups: Tensor, fraction: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """Hold out whole groups, in random order, until they are nearest to the fraction of the samples; at least one."""
    _, number, sizes = groups.unique(return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ConfigError(purpose, fraction, "holds out whole groups, and there is one", "group by another column")
    order = _shuffled(len(sizes), seed, f"split/{purpose}")
    sums = sizes[order].cumsum(0)
    count = int((sums - held_out(len(groups), fraction)).abs().argmin()) + 1
    held = torch.isin(number, order[: min(count, len(sizes) - 1)])
    return (~held).nonzero().flatten(), held.nonzero().flatten()


def _deal_groups(groups: Tensor, folds: int, seed: int) -> Tensor:
    """The fold of each sample, where groups are dealt out whole."""
    _, number, sizes = groups.unique(return_inverse=True, return_counts=True)
    if len(sizes) < folds:
        raise ConfigError("folds", folds, f"there are {len(sizes)} groups", "give fewer folds")
    order = _shuffled(len(sizes), seed, "split/fold")
    order = order[sizes[order].argsort(descending=True, stable=True)]
    parts = [(0, fold) for fold in range(folds)]
    fold_of = torch.empty(len(sizes), dtype=torch.int64)
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        held, fold = heapq.heappop(parts)
        fold_of[group] = fold
        heapq.heappush(parts, (held + size, fold))
    return fold_of[number]


def _shuffled(samples: int, *keys: int | str) -> Tensor:
    """The numbers below ``samples`` in an order drawn from a key."""
    seed, purpose, *more = keys
    generator = torch.Generator().manual_seed(key(int(seed), str(purpose), *map(int, more)))
    return torch.randperm(samples, generator=generator)


def _apportion(sizes: dict[int, int], fraction: float) -> dict[int, int]:
    """Find whole numbers near fraction·size that add up to round(fraction·Σ size), by largest remainder."""
    total = held_out(sum(sizes.values()), fraction)
    exact = {label: Fraction(repr(float(fraction))) * size for label, size in sizes.items()}
    whole = {label: math.floor(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (whole[label] - exact[label], label))
    for label in by_remainder[: total - sum(whole.values())]:
        whole[label] += 1
    return whole
