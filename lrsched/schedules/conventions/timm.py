"""timm's numbers: ``timm.scheduler``, as ``create_scheduler_v2`` builds them, updated at every step.

The warm-up is s + (B − s)·t/W, and the schedule runs on underneath it from step 0
(``warmup_prefix=False``): it appears at step W, in the middle of its course, with a jump::

    >>> from lrsched.horizon import Horizon
    >>> Polynomial(power=1.0, warmup="2st", convention="timm").plan(Horizon(steps=4)).table().tolist()
    [0.0, 0.5, 0.5, 0.25]

https://huggingface.co/docs/timm/reference/schedulers
"""

from __future__ import annotations

from collections.abc import Sequence

from lrsched.schedules.base import Schedule
from lrsched.schedules.conventions._ramps import ramp
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.multistep import MultiStep
from lrsched.schedules.phases import Curve, Part, Plan
from lrsched.schedules.polynomial import Polynomial
from lrsched.schedules.rules import Convention, Span
from lrsched.schedules.step import Step
from lrsched.schedules.tanh import Tanh

CONVENTION = Convention("timm")
WARMUP = ("warmup", "warmup_start")


@CONVENTION.has(Cosine, "k", "final", *WARMUP)
@CONVENTION.has(Polynomial, "power", "k", "final", *WARMUP)
@CONVENTION.has(Step, "every", "gamma", *WARMUP)
def underneath(schedule: Schedule, span: Span) -> Sequence[Part]:
    """CosineLRScheduler, PolyLRScheduler, StepLRScheduler: the warm-up aims at the peak and misses them."""
    return [ramp(schedule, span), emerging(schedule, span, 0)]


@CONVENTION.has(Tanh, "lower", "upper", "final", *WARMUP)
def tanh(schedule: Tanh, span: Span) -> Sequence[Part]:
    """TanhLRScheduler: its warm-up alone aims at where the schedule is at step W."""
    decay = emerging(schedule, span, 0)
    return [ramp(schedule, span, float(decay.values()[0])), decay]


@CONVENTION.has(MultiStep, "milestones", "gamma", *WARMUP)
def multistep(schedule: MultiStep, span: Span) -> Sequence[Part]:
    """MultiStepLRScheduler: gamma^#{milestone ≤ t + 1}, every cut one step before everybody else's."""
    return [ramp(schedule, span), emerging(schedule, span, 1)]


def emerging(schedule: Schedule, span: Span, ahead: int) -> Curve:
    """Our own curve from step W on, its clock at 0 since step 0, and ``ahead`` steps fast."""
    whole = Plan(tuple(schedule.body(span.steps + ahead, span.horizon, span.final)))
    return Curve(span.rest, lambda t: whole.at(t + span.warm + ahead), "decay")
