"""WSD-S: one run, decayed again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import require
from lrsched.schedules.cycles import listed
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.shapes import constant, linear
from lrsched.units import count


@dataclass(frozen=True, kw_only=True)
class WSDS(Schedule):
    """Periods of peak and linear decay; each goes on at the peak from the weights that were decayed.

    In a period of L steps, D of them the decay: 1 for t < L − D, then 1 − (1 − f)·(t − L + D)/D. The end of
    every period is a finished model of that length. Periods change at the running sum of their lengths,
    rounded half up. They must cover the run; the one in which it ends is shortened in its stable part,
    so that the run always ends decayed.

    Args:
        lengths: duration of each period, its decay included.
        decay: length of the decay at the end of each period, a duration.
        final: ratio of the peak that each decay tends to; not itself trained at.

    Raises:
        ConfigError: periods that end before the run, a decay longer than its period.

    References:
        Wen et al., Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss Landscape
        Perspective, ICLR 2025, https://arxiv.org/abs/2410.05192

    >>> WSDS(lengths=["3st", "5st"], decay="2st").plan(Horizon(steps=8)).table().tolist()
    [1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.5]
    """

    lengths: Sequence[Duration] = ("50%", "50%")
    decay: Duration = "10%"

    def check(self) -> None:
        require(isinstance(self.lengths, tuple), "lengths", self.lengths, "must be a list", "as in [40%,60%]")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        down = horizon.resolve(self.decay, "decay")
        parts: list[Part] = []
        left = steps
        for length in listed(self.lengths, steps, horizon):
            length = min(length, left)
            left -= length
            if not length:  # it lies after the run
                continue
            rule = f"is {count(down, 'step')} and does not fit into a period of {count(length, 'step')}"
            require(down <= length, "decay", self.decay, rule, "shorten it, or change lengths")
            parts += [
                Phase(length - down, 1.0, 1.0, constant, name="stable"),
                Phase(down, 1.0, final, linear, name="decay"),
            ]
        return parts
