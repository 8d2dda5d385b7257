"""Statistics of paired differences: their interval, p-value, and the seeds still needed.

Pure functions of numbers. A *difference* is that of two runs of the same seed, which removes what the seed brings to
both (initial weights, order of the data).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.05
"""A difference is declared below this p, and if an interval of one minus this excludes 0."""

QUANTILES = 1.96 + 0.84
"""Of the normal distribution, for a p of 5 % and a power of 80 %: they set the seeds to ask for."""

EXACT = 14
"""Up to so many pairs the sign-flip test tries all 2^n signs; beyond, it draws 2^14 of them."""

_NORMAL = NormalDist()


def bca_interval(differences: Sequence[float], resamples: int = 9999, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean, bias-corrected and accelerated.

    With θ the mean, θ* those of the resamples, θ_(i) those without the i-th value and z_α the normal quantile::

        z0 = Φ⁻¹( share of θ* below θ, ties half )     a = Σ(θ̄ − θ_(i))³ / 6[Σ(θ̄ − θ_(i))²]^1.5
        ends: the quantiles Φ( z0 + (z0 ± z_.975) / (1 − a(z0 ± z_.975)) ) of θ*

    Efron, Better bootstrap confidence intervals, JASA 1987. It is too narrow for few values, so never use it alone.
    Equal values give an interval of width 0.

    Args:
        differences: at least two, finite.
        resamples: how many to draw.
        seed: of the resampling, so that the same runs give the same report.

    >>> bca_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    """
    values = np.asarray(differences, dtype=np.float64)
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    n, mean = len(values), values.mean()
    drawn = values[np.random.default_rng(seed).integers(0, n, (resamples, n))].mean(axis=1)
    below = ((drawn < mean).sum() + (drawn <= mean).sum()) / (2 * resamples)
    bias = _NORMAL.inv_cdf(float(np.clip(below, 1 / (resamples + 1), resamples / (resamples + 1))))
    without = (values.sum() - values) / (n - 1)
    u = without.mean() - without
    acceleration = float((u**3).sum() / (6 * (u**2).sum() ** 1.5))
    ends = []
    for z in (_NORMAL.inv_cdf(LEVEL / 2), _NORMAL.inv_cdf(1 - LEVEL / 2)):
        at = _NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(float(np.quantile(drawn, at)))
    return ends[0], ends[1]


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of the sign-flip test: without a difference, both signs are equally likely.

    The share of all 2^n choices of signs that give a mean at least as far from zero. With n pairs it cannot be below
    2/2^n (:func:`smallest_p`). Fisher, The design of experiments, 1935, §21.

    >>> sign_flip_p([1.0, 2.0, 3.0])
    0.25
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    reached = abs(values.sum()) - 1e-12 * np.abs(values).sum()  # sums in another order differ in the last bits
    sums = np.abs(_signs(n, seed) @ values)
    if n <= EXACT:
        return float(np.mean(sums >= reached))
    return float((1 + np.sum(sums >= reached)) / (1 + len(sums)))


@lru_cache(maxsize=2)
def _signs(n: int, seed: int) -> Floats:
    """All choices of n signs; for more than 14, a sample of 2^14."""
    if n <= EXACT:
        return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) * 2.0 - 1.0
    return np.random.default_rng(seed).choice([-1.0, 1.0], (2**EXACT, n))


def smallest_p(pairs: int) -> float:
    """The smallest two-sided p that so many pairs can give: 2/2^n.

    >>> [smallest_p(n) for n in (3, 5, 6)]
    [0.25, 0.0625, 0.03125]
    """
    return min(1.0, 2.0 ** (1 - pairs))


def fewest_pairs(comparisons: int = 1) -> int:
    """The fewest pairs that can decide: n with 2/2^n below .05, divided by the number of comparisons.

    >>> fewest_pairs(), fewest_pairs(3)
    (6, 7)
    """
    return math.floor(math.log2(2 * comparisons / LEVEL)) + 1


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p-values of several comparisons, so that any false finding is as rare as with a single one.

    The k-th smallest of m is multiplied by m − k + 1 and is at least the one before. Holm, Scand. J. Statist. 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def probability_better(better: Sequence[float], other: Sequence[float]) -> float:
    """P(A beats B): the share of pairs in which the first is smaller; a tie counts half.

    Bouthillier et al., Accounting for variance in machine learning benchmarks, MLSys 2021,
    https://arxiv.org/abs/2103.03098

    >>> probability_better([1, 2, 3, 4], [2, 2, 4, 3])
    0.625
    """
    wins = [1.0 if a < b else 0.5 if a == b else 0.0 for a, b in zip(better, other, strict=True)]
    return math.fsum(wins) / len(wins)


def pairs_needed(differences: Sequence[float]) -> float:
    """About how many pairs would tell such a difference from none: ((1.96 + .84)·sd/mean)², inf if the mean is 0.

    The usual sample size of a paired test at 5 % with a power of 80 %. It is as rough as sd and mean of the pairs are.

    >>> round(pairs_needed([1.0, 2.0, 3.0]), 2)  # sd 1, mean 2
    1.96
    """
    values = np.asarray(differences, dtype=np.float64)
    mean, spread = abs(values.mean()), values.std(ddof=1)
    if spread == 0:
        return 0.0 if mean else math.inf
    return float((QUANTILES * spread / mean) ** 2) if mean else math.inf


def algoperf_scores(times: Sequence[Sequence[float]], longest: float = 4.0) -> list[float]:
    """AlgoPerf's score of each candidate: how close it comes to the fastest, over all workloads.

    With r = t / min t on a workload, the area below the performance profile (share of workloads with r ≤ τ) from
    τ = 1 to 4, which is the mean of clip((4 − r)/3, 0, 1). Dahl et al. 2023, https://arxiv.org/abs/2306.07179

    Args:
        times: to the target, a row a candidate, a column a workload; inf where it was not reached.
        longest: the ratio from which on the score is 0.

    >>> [round(score, 4) for score in algoperf_scores([[1, 2], [1.5, 1], [math.inf, 8]])]
    [0.8333, 0.9167, 0.0]
    """
    table = np.asarray(times, dtype=np.float64)
    fastest = table.min(axis=0)
    reached = np.isfinite(table)
    ratio = np.full(table.shape, np.inf)
    np.divide(table, np.where(fastest > 0, fastest, 1.0), out=ratio, where=reached & (fastest > 0))
    ratio[reached & (table == fastest)] = 1.0  # at step 0, too
    return np.clip((longest - ratio) / (longest - 1), 0, 1).mean(axis=1).tolist()
