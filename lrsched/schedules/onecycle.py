"""One cycle: super-convergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from lrsched.horizon import Duration, Horizon
from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import flag, momentum_range, number, one_of, require
from lrsched.schedules.phases import Part, Phase, floored

Anneal: TypeAlias = Literal["cosine", "linear"]
SHAPES: tuple[Anneal, ...] = get_args(Anneal)


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """Up from ``start`` to the peak, down to ``end``; the momentum goes the other way.

    ::

        two phases    start → 1 over rise,  1 → end over the rest
        three         start → 1 over rise,  1 → start over as many steps,  start → end over the rest
        momentum      high → low,  low → high  (and stays there in a third phase)

    Each phase tends to its end and leaves it to the next one: the peak is trained at once, ``end``
    never. The peak is each group's own base value; PyTorch sets all groups to one ``max_lr``.

    Args:
        rise: length of the way up, a duration.
        start: multiple of the peak that the run starts from, in [0, 1]; 1/25 is PyTorch's div_factor=25.
        end: multiple of the peak that the run tends to, in [0, 1]; null is start/10⁴. ``final`` can
            raise it, and the start too: no step is below ``final``.
        anneal: ``cosine`` or ``linear``, the shape of every phase.
        three_phase: come down as slowly as it went up, and then to ``end``.
        momentum: [low, high] of the momentum, or of Adam's first beta; null leaves it alone.

    Raises:
        ConfigError: a value out of its range, or phases that do not fit into the run.

    References:
        Smith, Topin, Super-Convergence, 2018, https://arxiv.org/abs/1708.07120
        Smith, A Disciplined Approach to Neural Network Hyper-Parameters, 2018, https://arxiv.org/abs/1803.09820

    >>> cycle = OneCycle(rise="2st", start=0.5, end=0.0, anneal="linear")
    >>> columns = cycle.table(Horizon(steps=6), 2.0)
    >>> columns["lr"].tolist()
    [1.0, 1.5, 2.0, 1.5, 1.0, 0.5]
    >>> columns["momentum"].round(3).tolist()
    [0.95, 0.9, 0.85, 0.875, 0.9, 0.925]
    """

    rise: Duration = "30%"
    start: float = 0.04
    end: float | None = None
    anneal: Anneal = "cosine"
    three_phase: bool = False
    momentum: tuple[float, float] | None = (0.85, 0.95)

    def check(self) -> None:
        number("start", self.start, "[0, 1]")
        if self.end is not None:
            number("end", self.end, "[0, 1]")
        one_of("anneal", self.anneal, SHAPES)
        flag("three_phase", self.three_phase)
        momentum_range("momentum", self.momentum)

    @property
    def foot(self) -> float:
        """Multiple of the peak that the run tends to."""
        return self.start / 1e4 if self.end is None else self.end

    @property
    def levels(self) -> tuple[float, ...]:
        """Multiples of the peak between which the phases lie."""
        return (self.start, 1.0, self.start, self.foot) if self.three_phase else (self.start, 1.0, self.foot)

    @property
    def companion_levels(self) -> dict[str, tuple[float, ...]]:
        """The same of the momentum, absolute; nothing where it is left alone."""
        if self.momentum is None:
            return {}
        low, high = self.momentum
        return {"momentum": (high, low, high, high) if self.three_phase else (high, low, high)}

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return [floored(part, final) for part in self._through(self.levels, steps, horizon)]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        return {name: self._through(levels, steps, horizon) for name, levels in self.companion_levels.items()}

    def _through(self, levels: Sequence[float], steps: int, horizon: Horizon) -> list[Part]:
        """The phases between the levels: each of length ``rise``, but the last takes the rest."""
        rise = horizon.resolve(self.rise, "rise")
        rest = steps - rise * (len(levels) - 2)
        rule = f"is {rise} steps{' up and as many down' * self.three_phase}, but the run leaves {steps} for the cycle"
        require(rest >= 0, "rise", self.rise, rule, "shorten it")
        shape = shapes.named(self.anneal, SHAPES, key="anneal")
        lengths = [rise] * (len(levels) - 2) + [rest]
        names = ("rise", "fall", "annihilation")[: len(lengths)]
        return [
            Phase(length, before, after, shape, name=name)
            for length, (before, after), name in zip(lengths, pairwise(levels), names, strict=True)
        ]
