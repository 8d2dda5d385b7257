"""Chebyshev steps in fractal order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number
from lrsched.schedules.phases import Curve, Ints, Part


@dataclass(frozen=True, kw_only=True)
class Chebyshev(Schedule):
    """1/(1 − r·cos θ_k), θ_k = π(k + ½)/N, in fractal order, over its largest value; never below ``final``.

    N steps of these sizes, each once, are the fastest way down a quadratic whose curvatures lie
    between m and M, M/m = ``condition``: r = (condition − 1)/(condition + 1). Large and small steps
    take turns, so that no large one's error grows before a small one has caught it. N is the next
    power of two; a run that is shorter takes the first of them. The first step is the largest, and
    the smallest is about 1/condition of it.

    Args:
        condition: condition number that the steps are made for, at least 1.

    Raises:
        ConfigError: ``condition`` below 1.

    References:
        Agarwal, Goel, Zhang, Acceleration via Fractal Learning Rate Schedules, ICML 2021,
        https://arxiv.org/abs/2103.01338

    >>> Chebyshev().plan(Horizon(steps=4)).table().round(3).tolist()
    [1.0, 0.089, 0.251, 0.122]
    """

    condition: float = 20.0

    def check(self) -> None:
        number("condition", self.condition, "[1, inf)")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        order = fractal_order(steps)
        r = (self.condition - 1) / (self.condition + 1)
        sizes = 1 / (1 - r * np.cos(np.pi * (order + 0.5) / len(order)))
        sizes = np.maximum(final, sizes / sizes[0])[:steps]  # the first of the order is the largest
        return [Curve(steps, lambda t: sizes[t], "fractal")]


def fractal_order(least: int) -> Ints:
    """The fractal permutation of 0 … N−1, N the first power of two that is not below ``least``.

    From N to 2N: each index k is followed by its mirror 2N − 1 − k.

    >>> fractal_order(8).tolist()
    [0, 7, 3, 4, 1, 6, 2, 5]
    """
    order = np.zeros(1, dtype=np.int64)
    while len(order) < least:
        order = np.stack([order, 2 * len(order) - 1 - order], axis=1).ravel()
    return order
