"""Conventions: a schedule of ours in the numbers of another library, where that library has it.

The libraries agree on names and disagree on which steps they mean: whether step 0 of a warm-up trains
at 0, whether the decay runs on underneath it, whether its end is trained at. A convention is one
library's answers. One small file each, with a rule for every schedule of ours that the library has;
a rule says which of our parameters it takes, and lays the phases as the library lays them::

    >>> from lrsched.horizon import Horizon
    >>> from lrsched.schedules import Linear
    >>> for convention in (None, "hf"):
    ...     Linear(warmup="2st", convention=convention).plan(Horizon(steps=6)).table().tolist()
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]

A convention speaks of the run's own steps, 0 to T − 1. After them ours holds the last value or raises,
also where the library rises again, raises one step late, or starts another cycle.
"""

from __future__ import annotations

import importlib

from lrsched.horizon import Horizon
from lrsched.schedules.base import CONVENTIONS, Schedule
from lrsched.schedules.conventions.base import Convention, Rule, Run
from lrsched.schedules.phases import Plan


def named(name: str) -> Convention:
    """The convention of that name; its file is imported when it is first asked for."""
    return importlib.import_module(f"{__name__}.{name}").CONVENTION


def rule_of(schedule: Schedule) -> Rule:
    """How the library that ``schedule.convention`` names has this schedule.

    Raises:
        ConfigError: it does not have it, or not with these parameters.
    """
    name, kind = str(schedule.convention), type(schedule)
    convention = named(name)
    if kind not in convention.rules:
        raise convention.lacks(name, kind, [other for other in CONVENTIONS if kind in named(other).rules])
    rule = convention.rules[kind]
    convention.check(schedule, rule)
    return rule


def plan(schedule: Schedule, horizon: Horizon, final: float) -> Plan:
    """The multiples of the peak, for every step of the run, as the schedule's convention lays them.

    Args:
        schedule: one with a convention.
        horizon: the run.
        final: its ``final`` as a ratio of the peak.
    """
    run = Run(horizon, schedule.lead(horizon), final)
    return Plan(tuple(rule_of(schedule).lay(schedule, run)), schedule.past)


def companions(schedule: Schedule, horizon: Horizon) -> dict[str, Plan]:
    """The other values of the group that the schedule moves, for every step of the run, absolute."""
    run = Run(horizon, schedule.lead(horizon), 0.0)
    moved = rule_of(schedule).companions(schedule, run)
    return {name: Plan(tuple(parts), schedule.past) for name, parts in moved.items()}
