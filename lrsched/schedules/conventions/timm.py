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
from lrsched.schedules.conventions.base import Convention, Run, ramp
from lrsched.schedules.cosine import Cosine
from lrsched.schedules.multistep import MultiStep
from lrsched.schedules.phases import Curve, Part, Plan
from lrsched.schedules.polynomial import Polynomial
from lrsched.schedules.step import Step
from lrsched.schedules.tanh import Tanh

CONVENTION = Convention("timm")
WARMUP = ("warmup", "warmup_start")


@CONVENTION.has(Cosine, "k", "final", *WARMUP)
@CONVENTION.has(Polynomial, "power", "k", "final", *WARMUP)
@CONVENTION.has(Step, "every", "gamma", *WARMUP)
def underneath(schedule: Schedule, run: Run) -> Sequence[Part]:
    """CosineLRScheduler, PolyLRScheduler, StepLRScheduler: the warm-up aims at the peak and misses them."""
    return [ramp(schedule, run), emerging(schedule, run, 0)]


@CONVENTION.has(Tanh, "lower", "upper", "final", *WARMUP)
def tanh(schedule: Tanh, run: Run) -> Sequence[Part]:
    """TanhLRScheduler: its warm-up alone aims at where the schedule is at step W."""
    decay = emerging(schedule, run, 0)
    return [ramp(schedule, run, float(decay.values()[0])), decay]


@CONVENTION.has(MultiStep, "milestones", "gamma", *WARMUP)
def multistep(schedule: MultiStep, run: Run) -> Sequence[Part]:
    """MultiStepLRScheduler: gamma^#{milestone ≤ t + 1}, every cut one step before everybody else's."""
    return [ramp(schedule, run), emerging(schedule, run, 1)]


def emerging(schedule: Schedule, run: Run, ahead: int) -> Curve:
    """Our own curve from step W on, its clock at 0 since step 0, and ``ahead`` steps fast."""
    whole = Plan(tuple(schedule.body(run.steps + ahead, run.horizon, run.final)))
    return Curve(run.rest, lambda t: whole.at(t + run.warm + ahead), "decay")
