"""The warm-up that most libraries share."""

from __future__ import annotations

from collections.abc import Sequence

from lrsched.schedules.base import Schedule
from lrsched.schedules.phases import Part, Phase
from lrsched.schedules.rules import Span
from lrsched.schedules.shapes import linear


def ramp(schedule: Schedule, span: Span, peak: float = 1.0) -> Phase:
    """A line that trains at its start and leaves its end to the decay, ``[)``."""
    return Phase(span.warm, schedule.warmup_start, peak, linear, "[)", "warmup")


def after_ramp(schedule: Schedule, span: Span) -> Sequence[Part]:
    """That line, then our own curve on its own clock: how most libraries lay most schedules."""
    return [ramp(schedule, span), *schedule.body(span.rest, span.horizon, span.final)]
