"""Continue a run's schedule for another length than it was planned for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import run_horizon
from lrsched.config import schema
from lrsched.data.counts import Pace
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import Horizon, Policy

if TYPE_CHECKING:  # schedules import numpy, which --help can do without
    from lrsched.schedules import Schedule


@dataclass(frozen=True)
class Past:
    """A length that the run had until step ``at``, and the policy by which its schedule went on from there."""

    planned: Horizon
    at: int
    policy: Policy


def pasts(trainer: schema.TrainerConfig, pace: Pace | Horizon) -> list[Past]:
    """The earlier lengths of a run, oldest first; ``pace`` is that of its data."""
    return [
        Past(run_horizon(replace(trainer, epochs=e.epochs, steps=e.steps), pace), e.at, e.policy)
        for e in trainer.extensions
    ]


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
