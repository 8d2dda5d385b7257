"""A decay, branched off another schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrsched.horizon import Duration, Horizon
from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import below, one_of, require
from lrsched.schedules.cycles import whole_lengths
from lrsched.schedules.nested import require_schedule
from lrsched.schedules.phases import Part, Phase, clip, hold
from lrsched.schedules.wsd import decay_shape
from lrsched.units import count


@dataclass(frozen=True, kw_only=True)
class Cooldown(Schedule):
    """Another schedule until step ``at``, then down from its value there to ``final``, and held.

    ::

        t < at               of(t)
        at ≤ t < at + decay  from a = of(at) to f along the shape, x = (t − at)/decay
        after                f

    with f = ``final``, or a where it lies below ``final`` already: a cooldown never rises. Several of
    them off one stable trunk show what runs of several lengths would come to.

    Args:
        of: the trunk, a schedule of the whole length.
        at: where the decay starts, a duration after the warm-up (``at=0st`` decays at once).
        decay: length of the decay, a duration of at least one step.
        shape: linear, cosine, sqrt, square, mirror_cosine or exponential, as in WSD.
        final: ratio of the peak that the decay tends to.

    Raises:
        ConfigError: ``of`` is no schedule, the decay ends after the run, or an exponential to 0.

    References:
        Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations,
        NeurIPS 2024, https://arxiv.org/abs/2405.18392

    >>> from lrsched.schedules import Constant
    >>> Cooldown(of=Constant(warmup="2st"), at="3st", decay="4st").plan(Horizon(steps=8)).table().tolist()
    [0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    of: Schedule
    at: Duration
    decay: Duration = "20%"
    shape: shapes.DecayShape = "linear"

    def check(self) -> None:
        require_schedule("of", self.of)
        one_of("shape", self.shape, shapes.DECAY_SHAPES)

    def lengths(self, steps: int, horizon: Horizon) -> tuple[int, int]:
        """Whole steps of the trunk and of the decay: where it ends is rounded as one sum."""
        exact = horizon.exact(self.at, "at"), horizon.exact(self.decay, "decay")
        require(exact[1] > 0, "decay", self.decay, "must be at least one step", "give a longer duration")
        trunk, down = whole_lengths(exact)
        rule = f"is {count(down, 'step')} from step {trunk} on, but there are {steps} in all"
        require(trunk + down <= steps, "decay", self.decay, rule, "shorten it, or give an earlier at")
        return trunk, down

    def phases(self, steps: int, horizon: Horizon, peak: float) -> Sequence[Part]:
        trunk, down = self.lengths(steps, horizon)
        final = self._floor(peak)
        shape = decay_shape(self, self.shape, final)
        with below("of"):
            plan = self.of.plan(horizon.part(steps), peak)
        start = plan[min(trunk, steps - 1)]
        end = min(start, final)
        decay = Phase(down, start, end, shape, name="cooldown")
        return [*clip(plan.parts, trunk), decay, hold(steps - trunk - down, end, "held")]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        trunk, _ = self.lengths(steps, horizon)
        return {
            name: [*clip(plan.parts, trunk), hold(steps - trunk, plan[min(trunk, steps - 1)], "held")]
            for name, plan in self.of.companion_plans(horizon.part(steps)).items()
        }
