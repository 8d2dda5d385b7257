"""Continue a run's schedule for another length than it was planned for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import evaluations_in, run_horizon
from lrsched.config import schema
from lrsched.data.counts import Pace
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import Horizon, Policy

if TYPE_CHECKING:  # schedules import numpy, which --help can do without
    from lrsched.schedules import Schedule


@dataclass(frozen=True)
class Past:
    """A length that the run had until step ``at``, and the policy by which its schedule went on from there.

    Args:
        planned: the run as it was to be.
        evaluations: how many it was to have.
        at: completed steps.
        policy: how the schedule went on.
    """

    planned: Horizon
    evaluations: int
    at: int
    policy: Policy


def pasts(trainer: schema.TrainerConfig, pace: Pace | Horizon) -> list[Past]:
    """The earlier lengths of a run, oldest first; ``pace`` is that of its data."""
    found = []
    for e in trainer.extensions:
        planned = run_horizon(replace(trainer, epochs=e.epochs, steps=e.steps), pace)
        counted = replace(planned, steps_per_epoch=planned.steps_per_epoch or planned.steps)  # where no epoch is known
        every = counted.resolve(trainer.evaluate_every, "trainer.evaluate_every", least=1)
        found.append(Past(planned, evaluations_in(planned, every), e.at, e.policy))
    return found


def kept_until(past: Sequence[Past]) -> float:
    """The end of the plan that is kept: from this step on, a scheduler that runs live holds its last values.

    Raises:
        ConfigError: it is to be stepped again, after its values were held for a while.
    """
    end = math.inf
    for before in past:
        if before.policy == "keep":
            end = min(end, before.planned.steps)
        elif before.at > end:
            rule = f"the last values of its plan are held since step {end}, and it can only go on as planned"
            raise ConfigError("scheduler", before.policy, rule, "give trainer.on_extend=keep, or a schedule of ours")
        else:
            end = math.inf
    return end


def stepped(past: Sequence[Past], horizon: Horizon) -> Horizon:
    """The part of a run in which a scheduler that runs live is stepped."""
    return replace(horizon, steps=int(min(kept_until(past), horizon.steps)), whole=0)


def continued_schedule(schedule: Schedule, past: Sequence[Past], horizon: Horizon) -> Schedule:
    """The schedule of a run whose length changed ``len(past)`` times, to be planned over ``horizon``.

    Raises:
        ConfigError: the new length is shorter than what the run has done already.
    """
    from lrsched.schedules.extend import extended

    lengths = [*(before.planned for before in past), horizon]
    for before, now in zip(past, lengths[1:], strict=True):
        if before.at > now.steps:
            rule = f"{before.at} steps are already done, and the run is to have {now.steps}"
            raise ConfigError("scheduler", UNSET, rule, "give more trainer.epochs or trainer.steps")
        schedule = extended(schedule, before.planned, now, before.at, before.policy)
    return schedule
