"""Statistics of paired differences: their interval, p-value, and the seeds still needed.

Pure functions of numbers. A *difference* is that of two runs of the same seed, which removes what the seed brings to
both (initial weights, order of the data).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.05
"""A difference is declared below this p, and if an interval of one minus this excludes 0."""

QUANTILES = 1.96 + 0.84
"""Of the normal distribution, for a p of 5 % and a power of 80 %: they set the seeds to ask for."""

EXACT = 30
"""Up to so many pairs all 2^n choices of signs are counted; beyond, 2^16 of them are drawn."""

_DRAWN = 2**16

_ROUNDING = (
    1e-12  # a sum of differences so small beside their sizes is 0: sums in another order differ in the last bits
)


def interval(differences: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The interval of the mean difference: every shift θ that the sign-flip test of (differences − θ) does not refuse.

    Let m be the mean and T_S(θ) = Σ_{i in S} (d_i − θ) for a subset S of the pairs. For θ < m the test counts::

        p(θ) = 2·#{S, the empty set among them: T_S(θ) ≤ 0} / 2^n

    T_S(θ) ≤ 0 where θ has reached the mean of S, so p only rises up to m: the low end is the k-th smallest of the means
    of all non-empty subsets, k = ⌊(1 − level)·2^(n−1)⌋, and the high end the k-th largest. Thus the interval excludes 0
    exactly when :func:`sign_flip_p` is at most 1 − level, and covers the centre of symmetric differences, of whatever
    distribution, with the probability :func:`attained`. Hartigan, Using subsample values as typical values, JASA 1969.

    Args:
        differences: n of them, at least one, finite; beyond 30 the signs are drawn.
        level: the least coverage, in (0, 1).

    Returns:
        Low and high end; infinite ones where n pairs cannot give this level.

    >>> interval([1.0, 2.0, 3.0, 4.0, 5.0, 7.0]), interval([1.0, 2.0, 3.0])
    ((1.0, 7.0), (-inf, inf))
    """
    values = np.asarray(differences, dtype=np.float64)
    ends = _drawn_ends if len(values) > EXACT else _counted_ends
    low, high = ends(values, level)
    if (low > 0 or high < 0) and sign_flip_p(differences) > 1 - level:  # 0 is inside: rounding carried an end beyond it
        return min(low, 0.0), max(high, 0.0)
    return low, high


def attained(pairs: int, level: float = 0.95) -> float:
    """The level that :func:`interval` has with so many ``pairs``: the next possible one above the ``level`` asked for.

    Where n pairs cannot give as much, it is the most that they can: 1 − 2/2^n, of the interval from the smallest to the
    largest difference.

    >>> [round(attained(n), 4) for n in (3, 5, 6, 7, 8, 30)]
    [0.75, 0.9375, 0.9688, 0.9531, 0.9531, 0.95]
    """
    return 1 - smallest_p(pairs) * max(1, math.floor((1 - level) / smallest_p(pairs)))


def sign_flip_p(differences: Sequence[float]) -> float:
    """The two-sided p of the sign-flip test: without a difference, both signs are equally likely.

    The share of all 2^n choices of signs that give a mean at least as far from zero; beyond 30 pairs, of 2^16 that are
    drawn, the one observed counted with them. With n pairs it cannot be below 2/2^n (:func:`smallest_p`).
    Fisher, The design of experiments, 1935, §21; Pitman, Significance tests which may be applied to samples from any
    populations, J. R. Statist. Soc. Suppl. 1937, https://doi.org/10.2307/2984124

    Args:
        differences: float64[n], at least one, finite.

    >>> sign_flip_p([1.0, 2.0, 3.0])
    0.25
    """
    values = np.asarray(differences, dtype=np.float64)
    total = values.sum()
    values = values if total > 0 else -values
    rounding = _ROUNDING * float(np.abs(values).sum())
    if float(values.sum()) <= rounding:
        return 1.0
    if len(values) <= EXACT:
        return min(1.0, 2 * _count(values, rounding) / 2 ** len(values))
    chosen = _drawn_sums(tuple(differences))[0]
    chosen = chosen if total > 0 else -chosen
    return float((1 + np.sum((chosen <= rounding) | (values.sum() - chosen <= rounding))) / (1 + _DRAWN))


def _drawn_ends(values: Floats, level: float) -> tuple[float, float]:
    """Both ends of the interval, from subsets that are drawn and from what each leaves out."""
    n, rank = len(values), math.floor((1 - level) * (1 + _DRAWN))
    (sums, others), sizes = _drawn_sums(tuple(values.tolist())), _sizes(n)

    def low_end(sign: float) -> float:
        with np.errstate(invalid="ignore", divide="ignore"):
            means = [np.nan_to_num((sign * s + 0.0) / k, nan=-np.inf) for s, k in ((sums, sizes), (others, n - sizes))]
        return float(np.sort(np.minimum(*means))[rank - 1])

    return low_end(1.0), -low_end(-1.0)


def _counted_ends(values: Floats, level: float) -> tuple[float, float]:
    """Both ends of the interval, from all subsets."""
    return _low_end(values, level), -_low_end(-values, level)


def _low_end(values: Floats, level: float) -> float:
    """The largest θ below the mean at which the test still refuses, −inf if it refuses nowhere."""
    n = len(values)
    rank = math.floor((1 - level) / smallest_p(n))
    if rank < 1:
        return -math.inf
    low, high = float(values.min()), float(values.mean())
    if rank == 1:
        return low
    while low < (middle := (low + high) / 2) < high:  # until no number is left between them
        low, high = (low, middle) if _count(values - middle) > rank else (middle, high)
    return high


def _count(values: Floats, at_most: float = 0.0) -> int:
    """How many of the 2^n subsets have a sum of at most so much, the empty one among them.

    The sums of either half of the values meet in the middle: 2^(n/2) numbers each, not 2^n. Horowitz and Sahni, 1974.
    """
    half = len(values) // 2
    one, other = (np.sort(_subset_sums(part)) for part in (values[:half], values[half:]))
    return int(np.searchsorted(other, at_most - one, side="right").sum())


def _subset_sums(values: Floats) -> Floats:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


@lru_cache(maxsize=2)
def _drawn_subsets(n: int) -> NDArray[np.bool_]:
    """Subsets of n pairs, a row each, with 1 for those in it: drawn with a fixed seed, so that reports are equal.

    A byte a pair: as floats those of 250 pairs took 130 MB, and those left out as much.
    """
    draws, subsets = np.random.default_rng(0), np.empty((_DRAWN, n), dtype=np.bool_)
    for part in _parts(subsets):
        part[:] = draws.integers(0, 2, part.shape)
    return subsets


@lru_cache(maxsize=2)
def _drawn_sums(differences: tuple[float, ...]) -> tuple[Floats, Floats]:
    """The sums of the drawn subsets, and of what each leaves out, kept for an interval and its p."""
    values, chosen, others = np.asarray(differences, dtype=np.float64), list[Floats](), list[Floats]()
    for part in _parts(_drawn_subsets(len(differences))):
        inside = part.astype(np.float64)
        chosen.append(inside @ values)
        others.append((1 - inside) @ values)
    return np.concatenate(chosen), np.concatenate(others)


def _parts(subsets: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Some rows at a time: the wide numbers that are drawn, and the floats, stay in the cache."""
    return np.split(subsets, 64)


@lru_cache(maxsize=2)
def _sizes(n: int) -> NDArray[np.int64]:
    """How many pairs are in each drawn subset."""
    return _drawn_subsets(n).sum(1)


def smallest_p(pairs: int) -> float:
    """The smallest two-sided p of :func:`sign_flip_p` that n ``pairs`` can give: 2/2^n.

    >>> [smallest_p(n) for n in (3, 5, 6)]
    [0.25, 0.0625, 0.03125]
    """
    return min(1.0, 2.0 ** (1 - pairs))


def fewest_pairs(comparisons: int = 1) -> int:
    """The fewest pairs that can decide: n with 2/2^n below .05 / ``comparisons``, the first step of :func:`holm`.

    >>> fewest_pairs(), fewest_pairs(3)
    (6, 7)
    """
    return math.floor(math.log2(2 * comparisons / LEVEL)) + 1


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, corrected: any false finding is as rare as with a single one.

    The k-th smallest of m is multiplied by m − k + 1 and is at least the one before: max over j ≤ k of
    min(1, (m − j + 1)·p_j). Holm, Scand. J. Statist. 1979, https://www.jstor.org/stable/4615733

    Args:
        p_values: m of them, in [0, 1]; the answer is in their order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def probability_better(better: Sequence[float], other: Sequence[float]) -> float:
    """The share of pairs with ``better`` < ``other``, and half the share of ties: P(A beats B) = P(a < b) + ½·P(a = b).

    Bouthillier et al., Accounting for variance in machine learning benchmarks, MLSys 2021,
    https://arxiv.org/abs/2103.03098

    >>> probability_better([1, 2, 3, 4], [2, 2, 4, 3])
    0.625
    """
    wins = [1.0 if a < b else 0.5 if a == b else 0.0 for a, b in zip(better, other, strict=True)]
    return math.fsum(wins) / len(wins)


def pairs_needed(differences: Sequence[float]) -> float:
    """The number of pairs that would tell such a difference from none: ((1.96 + .84)·sd/mean)², inf if the mean is 0.

    The usual sample size of a paired test at 5 % with a power of 80 %. It is as rough as sd and mean of the pairs are.
    Colas, Sigaud, Oudeyer, How Many Random Seeds?, 2018, https://arxiv.org/abs/1806.08295

    Args:
        differences: float64[n], at least two; inf where one of them is not finite.

    >>> round(pairs_needed([1.0, 2.0, 3.0]), 2)  # sd 1, mean 2
    1.96
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():  # of finite numbers that are too far apart
        return math.inf
    values = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))  # near 1: no square is beyond float64
    mean, spread = abs(values.mean()), values.std(ddof=1)
    if spread == 0:
        return 0.0 if mean else math.inf
    return float((QUANTILES * spread / mean) ** 2) if mean else math.inf
