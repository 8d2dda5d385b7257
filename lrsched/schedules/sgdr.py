"""SGDR: cosine decay with warm restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Duration, Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number, require
from lrsched.schedules.cycles import growing
from lrsched.schedules.phases import Ends, Part, Phase, clip
from lrsched.schedules.shapes import cosine, linear
from lrsched.units import count


@dataclass(frozen=True, kw_only=True)
class SGDR(Schedule):
    """A cosine to ``final`` that starts anew, in cycles c = 0, 1, … of first·mult^c steps.

    Cycle c falls from peak_decay^c (but not from below ``final``):
    f + (peak_decay^c − f)·(1 + cos πx)/2, x = progress in the cycle. Cycles change at whole steps:
    the exact running sum of their lengths, rounded half up. The end of the run cuts the last one.

    Args:
        first: length of the first cycle, a duration of at least one step.
        mult: each cycle is so many times as long as the one before; above 0. Below 1 the cycles
            shrink, and must cover the run before one would be shorter than a step.
        peak_decay: each cycle starts from so much of the peak before, in (0, 1].
        cycle_warmup: a duration: the first steps of every cycle rise in a line from ``final`` to its peak
            (``(]``), and the cosine has the rest of the cycle.
        final: ratio of the peak that each cycle tends to; not itself trained at.

    Raises:
        ConfigError: a value out of its range, cycles that shrink away, a warm-up as long as its cycle.

    References:
        Loshchilov, Hutter, SGDR, ICLR 2017, https://arxiv.org/abs/1608.03983

    >>> SGDR(first="2st", mult=2, peak_decay=0.5).plan(Horizon(steps=7)).table().round(3).tolist()
    [1.0, 0.5, 0.5, 0.427, 0.25, 0.073, 0.25]
    """

    first: Duration = "10ep"
    mult: float = 1.0
    peak_decay: float = 1.0
    cycle_warmup: Duration = "0st"

    def check(self) -> None:
        number("mult", self.mult, "(0, 1000000]")
        number("peak_decay", self.peak_decay, "(0, 1]")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return self.in_cycles(steps, horizon, final, "(]")

    def in_cycles(self, steps: int, horizon: Horizon, final: float, ends: Ends) -> Sequence[Part]:
        """The cycles; ``ends`` are those that the warm-up of each is trained at."""
        first = horizon.resolve(self.first, "first", least=1)
        warm = horizon.resolve(self.cycle_warmup, "cycle_warmup")
        parts: list[Part] = []
        for cycle, length in enumerate(growing(first, self.mult, steps)):
            rule = f"is {count(warm, 'step')} and leaves nothing of cycle {cycle}, which has {length}"
            require(warm < length, "cycle_warmup", self.cycle_warmup, rule, "shorten it, or lengthen the cycles")
            peak = max(final, self.peak_decay**cycle)
            parts += [
                Phase(warm, final, peak, linear, ends, "warmup"),
                Phase(length - warm, peak, final, cosine, name="cycle"),
            ]
        return clip(parts, steps)
