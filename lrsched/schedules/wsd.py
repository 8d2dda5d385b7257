"""Warm-up, stable, decay: the trapezoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrsched.horizon import Duration, Horizon
from lrsched.schedules import shapes
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import one_of, require
from lrsched.schedules.phases import Part, Phase
from lrsched.units import count


@dataclass(frozen=True, kw_only=True)
class WSD(Schedule):
    """The peak, held, and then a decay to ``final`` over the last ``decay`` of the run.

    The stable part can be prolonged, and decayed from any of its checkpoints: the length of the run
    needs not be known in advance. Over the decay's own x from 0 to 1 the rate is f + (1 − f)·

    ::

        linear  1 − x              sqrt    1 − √x            mirror_cosine  2(1 − x) − (1 + cos πx)/2
        cosine  (1 + cos πx)/2     square  1 − x²            exponential    (without f) f^x

    Args:
        decay: length of the decay, a duration.
        shape: linear, cosine, sqrt, square, mirror_cosine or exponential.
        final: ratio of the peak that the decay tends to; not itself trained at.

    Raises:
        ConfigError: warm-up and decay do not fit into the run, or an exponential to 0.

    References:
        Hu et al., MiniCPM, 2024, https://arxiv.org/abs/2404.06395
        Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations,
        NeurIPS 2024, https://arxiv.org/abs/2405.18392 (the shapes; 1 − √x came out best)

    >>> WSD(warmup="2st", decay="4st").plan(Horizon(steps=8)).table().tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """

    decay: Duration = "20%"
    shape: shapes.DecayShape = "linear"

    def check(self) -> None:
        one_of("shape", self.shape, shapes.DECAY_SHAPES)

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        return stable_then_decay(self.decay, decay_shape(self, self.shape, final), steps, horizon, final)


def decay_shape(schedule: Schedule, name: shapes.DecayShape, final: float) -> shapes.Shape:
    """The shape of a decay to ``final``, the schedule's own as a ratio of the peak.

    Raises:
        ConfigError: an exponential to 0.
    """
    reached, remedy = name != "exponential" or final > 0, "give final=0.01, or another shape"
    require(reached, "final", schedule.final, "an exponential never gets to 0", remedy)
    return shapes.named(name, shapes.DECAY_SHAPES)


def stable_then_decay(
    decay: Duration, shape: shapes.Shape, steps: int, horizon: Horizon, final: float
) -> Sequence[Part]:
    """The peak, and a decay of length ``decay`` to ``final`` that ends with the run.

    Raises:
        ConfigError: the decay is longer than ``steps``, which is what the warm-up leaves of the run.
    """
    down = horizon.resolve(decay, "decay")
    require(
        down <= steps,
        "decay",
        decay,
        f"is {count(down, 'step')}, but a warm-up of {horizon.steps - steps} leaves {steps} of the run's "
        f"{horizon.steps} steps",
        "shorten one of them or train longer",
    )
    return [
        Phase(steps - down, 1.0, 1.0, shapes.constant, name="stable"),
        Phase(down, 1.0, final, shape, name="decay"),
    ]
