"""Continue a run's schedule for another length than it was planned for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import at_pace, run_horizon
from lrsched.config import schema
from lrsched.data.clock import Clock
from lrsched.data.counts import Pace
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import Horizon, Policy

if TYPE_CHECKING:  # schedules import numpy, which --help can do without
    from lrsched.schedules import Schedule


@dataclass(frozen=True)
class Past:
    """A length that the run had until step ``at``, and the policy by which its schedule went on from there.

    ``origin`` is the same at the pace that the run had then, and the lengths before it: whatever starts from the
    value in force starts from the value that was.
    """

    planned: Horizon
    at: int
    policy: Policy
    origin: tuple[list[Past], Horizon, int] | None = None


def pasts(trainer: schema.TrainerConfig, pace: Pace | Horizon, clock: Clock | None = None) -> list[Past]:
    """The earlier lengths of a run, oldest first, in time: in steps of the pace that it has now.

    Args:
        trainer: the run's settings; its extensions count the updates that were completed.
        pace: of its data.
        clock: of the run; None: it never changed its pace.
    """
    found: list[Past] = []
    for number, e in enumerate(trainer.extensions):
        then = replace(trainer, epochs=e.epochs, steps=e.steps)
        planned = run_horizon(then, pace)
        if clock is None or not clock.start:
            found.append(Past(planned, e.at, e.policy))
            continue
        origin = None
        if 0 < e.at <= clock.start and not clock.in_steps:
            old = clock.of_update(e.at - 1)
            earlier = pasts(replace(trainer, extensions=trainer.extensions[:number]), old.pace, old)
            origin = earlier, at_pace(run_horizon(then, old.pace), old), old.place(e.at - 1) + 1
        found.append(Past(at_pace(planned, clock), clock.place_before(e.at), e.policy, origin))
    return found


def continued_schedule(schedule: Schedule, past: Sequence[Past], horizon: Horizon) -> Schedule:
    """The schedule of a run whose length changed ``len(past)`` times, to be planned over ``horizon``.

    Raises:
        ConfigError: the new length is shorter than what the run has done already.
    """
    from lrsched.schedules.extend import extended

    first = schedule
    lengths = [*(before.planned for before in past), horizon]
    for before, now in zip(past, lengths[1:], strict=True):
        if before.at > now.steps:
            rule = f"{before.at} steps are already done, and the run is to have {now.steps}"
            raise ConfigError("scheduler", UNSET, rule, "give more trainer.epochs or trainer.steps")
        origin = None
        if before.origin is not None:
            earlier, planned, at = before.origin
            origin = continued_schedule(first, earlier, planned), planned, at
        schedule = extended(schedule, before.planned, now, before.at, before.policy, origin=origin)
    return schedule
