"""Noise on another schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import below, number, whole
from lrsched.schedules.nested import require_schedule
from lrsched.schedules.phases import Curve, Ints, Part, floored
from lrsched.schedules.shapes import Floats
from lrsched.seeds import key


@dataclass(frozen=True, kw_only=True)
class Noise(Schedule):
    """Each value of another schedule, multiplied by a random number near 1: v(t)·(1 + ε_t).

    ε_t = clip(std·z_t, −limit, limit) with z_t ~ N(0, 1), drawn from (seed, t) alone: any step can be
    looked up without the steps before it, and a resumed run has nothing to remember. z_t comes by Box
    and Muller from the two halves of output t of SplitMix64, z = √(−2 ln u)·cos 2πw.

    Args:
        of: the schedule.
        std: standard deviation of ε, at least 0.
        limit: the largest |ε|, in (0, 1]: no value is negative or more than doubled.
        seed: another seed, another noise. ``${seed}`` in YAML follows the run's seed.
        final: no value is below it.

    Raises:
        ConfigError: ``of`` is no schedule, or a value out of its range.

    References:
        Wightman, timm, https://github.com/huggingface/pytorch-image-models (lr_noise)
        Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014,
        https://doi.org/10.1145/2660193.2660195

    >>> from lrsched.schedules import Constant
    >>> plan = Noise(of=Constant(), std=0.1, limit=0.2).plan(Horizon(steps=1000))
    >>> bool(abs(plan.table().mean() - 1) < 0.02), bool(0.08 < plan.table().std() < 0.12)
    (True, True)
    >>> plan[700] == float(plan.at([999, 700])[1])
    True
    """

    of: Schedule
    std: float = 0.05
    limit: float = 0.5
    seed: int = 0

    def check(self) -> None:
        require_schedule("of", self.of)
        number("std", self.std, "[0, inf)")
        number("limit", self.limit, "(0, 1]")
        whole("seed", self.seed, least=0)

    def phases(self, steps: int, horizon: Horizon, peak: float) -> Sequence[Part]:
        with below("of"):
            plan = self.of.plan(horizon.part(steps), peak)
        noisy = [self._noisy(part, int(start)) for part, start in zip(plan.parts, plan.starts, strict=True)]
        return [floored(part, self._floor(peak)) for part in noisy]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        return {name: plan.parts for name, plan in self.of.companion_plans(horizon.part(steps)).items()}

    def _noisy(self, part: Part, start: int) -> Curve:
        stream = key(self.seed, "noise")

        def value(i: Ints) -> Floats:
            epsilon = np.clip(self.std * normal(stream, i + start), -self.limit, self.limit)
            return part.at(i) * (1 + epsilon)

        return Curve(part.steps, value, part.name)


def normal(stream: int, t: Ints) -> Floats:
    """Standard normal numbers, one for each t."""
    bits = splitmix64(stream, t)
    u = ((bits >> np.uint64(32)) + np.uint64(1)) * 2.0**-32  # in (0, 1]
    angle = (bits & np.uint64(0xFFFFFFFF)) * (2 * np.pi / 2**32)  # in [0, 2π)
    return np.sqrt(-2 * np.log(u)) * np.cos(angle)


def splitmix64(stream: int, n: Ints) -> NDArray[np.uint64]:
    """Output n (0-based) of the generator SplitMix64 that starts from ``stream``, for each n."""
    z = np.uint64(stream) + (n.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
