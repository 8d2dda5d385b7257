"""Cautions: what a schedule will do that its author may not have meant, with the consequence in numbers."""

from __future__ import annotations

from lrsched.horizon import Horizon
from lrsched.schedules.base import Absolute, Schedule
from lrsched.schedules.phases import Phase


def cautions(schedule: Schedule, horizon: Horizon, peak: float = 1.0) -> list[str]:
    """What to warn of before the first step; nothing where all is as it seems.

    Args:
        schedule: the curve.
        horizon: the run.
        peak: a group's base value, which an absolute floor is measured against.

    >>> from lrsched.schedules import SGDR
    >>> for caution in cautions(SGDR(first="4st"), Horizon(steps=10)):
    ...     print(caution)
    the run ends in mid-cycle: 2 of the 4 steps of its last phase (cycle) are made, and it ends at 0.854 of the peak
    """
    plan = schedule.plan(horizon, peak)
    found: list[str] = []
    if isinstance(schedule.final, Absolute) and schedule.final.value > peak > 0:
        found.append(
            f"final={{absolute: {schedule.final.value:g}}} lies above the base value {peak:g}: "
            f"the rate rises to {schedule.final.value / peak:.3g} times it"
        )
    last = plan.parts[-1]
    if isinstance(last, Phase) and last.whole and last.whole > last.steps and last.start != last.end:
        found.append(
            f"the run ends in mid-cycle: {last.steps} of the {last.whole} steps of its last phase ({last.name}) "
            f"are made, and it ends at {plan[plan.steps - 1]:.3g} of the peak"
        )
    lead = schedule.lead(horizon)
    return found + schedule.cautions(horizon.steps - lead, horizon)
