"""Step decay at chosen milestones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lrsched.errors import ConfigError
from lrsched.horizon import Duration, Horizon, parse
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import number, require, rise, unreached
from lrsched.schedules.phases import Curve, Ints, Part
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class MultiStep(Schedule):
    """A cut at each milestone: gamma^#{milestone ≤ t}, never below ``final``.

    Args:
        milestones: durations after the warm-up, strictly rising, at least one step; update t is the
            first that a milestone of t steps cuts. One that lies after the run is never reached.
        gamma: what a cut multiplies the rate by, in (0, 1].

    Raises:
        ConfigError: milestones that do not rise strictly or lie at 0, ``gamma`` out of its range.

    References:
        He et al., Deep Residual Learning, CVPR 2016, https://arxiv.org/abs/1512.03385
        Zagoruyko, Komodakis, Wide Residual Networks, BMVC 2016, https://arxiv.org/abs/1605.07146

    >>> MultiStep(gamma=0.5).plan(Horizon(steps=8)).table().tolist()
    [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    # Bare numbers are let in so that [30, 0], which PyTorch takes, is refused with the whole story.
    milestones: Sequence[Duration | float] = ("50%", "75%")
    gamma: float = 0.1

    def check(self) -> None:
        number("gamma", self.gamma, "(0, 1]")
        some = isinstance(self.milestones, tuple) and len(self.milestones) > 0
        require(some, "milestones", self.milestones, "must be a list of durations", "as in [50%,75%]")
        bare = [m for m in self.milestones if isinstance(m, (int, float))]
        if len(bare) == len(self.milestones):
            self._refuse_disorder(bare)
        for milestone in self.milestones:
            parse(str(milestone), "milestones")

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        durations = [str(milestone) for milestone in self.milestones]
        self._refuse_disorder([horizon.exact(duration, "milestones") for duration in durations])
        milestones = [horizon.resolve(duration, "milestones", least=1) for duration in durations]

        def value(t: Ints) -> Floats:
            return np.maximum(final, self.gamma ** np.searchsorted(milestones, t, side="right"))

        return [Curve(steps, value, "stair")]

    def cautions(self, steps: int, horizon: Horizon) -> list[str]:
        return unreached(
            "milestone", {str(m): horizon.resolve(str(m), "milestones", least=1) for m in self.milestones}, steps
        )

    def _refuse_disorder(self, steps: Sequence[float | Fraction]) -> None:
        if steps[0] > 0 and rise(steps):
            return
        if 0 in steps:
            trap = f"applies gamma at construction, so that the whole run trains at {self.gamma:g} times the rate"
        elif min(steps) < 0:
            trap = "never comes to it"
        elif len(set(steps)) < len(steps):
            trap = "applies gamma twice at once"
        else:
            trap = "sorts them without a word"
        raise ConfigError(
            "milestones",
            self.milestones,
            f"must rise strictly and lie after the start, but are steps {', '.join(f'{float(s):g}' for s in steps)}",
            f"PyTorch accepts this and {trap}; write each once and in order, as in [50%,75%]",
        )
