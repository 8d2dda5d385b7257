"""Cosine restarts with explicit cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number, require
from lrsched.schedules.cycles import listed
from lrsched.schedules.phases import Part, Phase, clip
from lrsched.schedules.shapes import cosine


@dataclass(frozen=True, kw_only=True)
class Periods(Schedule):
    """SGDR whose cycles are written out: each a cosine from its weight to ``final``.

    f + (w − f)·(1 + cos πx)/2 in a cycle of weight w, x = progress in it. Cycles change at the running
    sum of their lengths, rounded half up. They must cover the run; its end cuts the last one.

    Args:
        lengths: duration of each cycle.
        weights: multiple of the peak that each cycle starts from, in [0, 1]; null is 1 for each. One
            below ``final`` is raised to it.
        final: ratio of the peak that each cycle tends to; not itself trained at.

    Raises:
        ConfigError: cycles that end before the run, not as many weights as lengths.

    References:
        Loshchilov, Hutter, SGDR, ICLR 2017, https://arxiv.org/abs/1608.03983

    >>> Periods(lengths=["2st", "4st"], weights=[1, 0.5]).plan(Horizon(steps=6)).table().round(3).tolist()
    [1.0, 0.5, 0.5, 0.427, 0.25, 0.073]
    """

    lengths: Sequence[Duration] = ("50%", "50%")
    weights: Sequence[float] | None = None

    def check(self) -> None:
        require(isinstance(self.lengths, tuple), "lengths", self.lengths, "must be a list", "as in [40%,60%]")
        if self.weights is None:
            return
        good = isinstance(self.weights, tuple) and len(self.weights) == len(self.lengths)
        require(good, "weights", self.weights, f"must be a list of {len(self.lengths)}, one for each of lengths")
        for weight in self.weights:
            number("weights", weight, "[0, 1]")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        lengths = listed(self.lengths, steps, horizon)
        weights = self.weights or (1.0,) * len(lengths)
        cycles = zip(lengths, weights, strict=True)
        return clip([Phase(n, max(final, weight), final, cosine, name="cycle") for n, weight in cycles], steps)
