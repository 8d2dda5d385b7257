"""Continue a run's schedule for another length than it was planned for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import at_pace, evaluations_in, run_horizon
from lrsched.config import schema
from lrsched.data.clock import Clock
from lrsched.data.counts import Pace
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon, Policy, half_up
from lrsched.units import count

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
        origin: the same at another pace that the run had then, and the lengths before it: whatever starts from the
            value in force starts from the value that was. None: at the pace of now.
    """

    planned: Horizon
    evaluations: int
    at: int
    policy: Policy
    origin: tuple[list[Past], Horizon, int] | None = None


def pasts(trainer: schema.TrainerConfig, pace: Pace | Horizon, clock: Clock | None = None) -> list[Past]:
    """The earlier lengths of a run, oldest first, in time: in steps of the pace that it has now.

    Args:
        trainer: the run's settings; its extensions count the updates that were completed.
        pace: of its data.
        clock: of the run; None: it never changed its pace.

    Raises:
        ConfigError: the length is shorter than what the run had done already.
    """
    found: list[Past] = []
    if trainer.extensions:
        _refuse_shorter(trainer.extensions[-1].at, trainer, pace, clock)
    for number, e in enumerate(trainer.extensions):
        then = replace(trainer, epochs=e.epochs, steps=e.steps)
        planned = run_horizon(then, pace)
        if clock is not None and clock.start:
            planned = _converted(planned, e, clock)
        counted = replace(planned, steps_per_epoch=planned.steps_per_epoch or planned.steps)  # where no epoch is known
        every = counted.resolve(trainer.evaluate_every, "trainer.evaluate_every", least=1)
        past = Past(planned, evaluations_in(planned, every), e.at, e.policy)
        if clock is not None and clock.start:
            past = replace(past, planned=at_pace(planned, clock), at=clock.place_before(e.at))
            if 0 < e.at <= clock.start and not (clock.in_steps and e.steps is not None):
                old = clock.of_update(e.at - 1)
                earlier = pasts(replace(trainer, extensions=trainer.extensions[:number]), old.pace, old)
                origin = earlier, at_pace(run_horizon(then, old.pace), old), old.place(e.at - 1) + 1
                past = replace(past, origin=origin)
        found.append(past)
    return found


def _refuse_shorter(done: int, trainer: schema.TrainerConfig, pace: Pace | Horizon, clock: Clock | None) -> None:
    """Refuse a length that ends before the updates that are done."""
    steps, at = run_horizon(trainer, pace).steps, done if clock is None else clock.place_before(done)
    if at <= steps:
        return
    key, value = ("epochs", trainer.epochs) if trainer.steps is None else ("steps", trainer.steps)
    rule = f"{done} steps are already done, and the run is to have {steps}"
    if clock is not None and clock.start and not clock.in_steps:
        epochs = count(clock.of_update(done).epoch_at(done), "epoch")
        rule = f"{done} steps are already done, {epochs}, and the run is to have {count(value, 'epoch')}"
    raise ConfigError(f"trainer.{key}", value, rule, "give more trainer.epochs or trainer.steps")


def _converted(planned: Horizon, extension: schema.Extension, clock: Clock) -> Horizon:
    """A length given in steps, in the epochs that the run counts now; or one in epochs, in steps.

    Raises:
        ConfigError: the plan is to be kept, and the pace had changed before: no line leads from one count to the other.
    """
    if (extension.steps is not None) == clock.in_steps:
        return planned
    old = clock.of_update(max(extension.at - 1, 0))
    if old.start and extension.policy == "keep":
        known = "epochs" if clock.in_steps else "steps"
        rule = f"cannot keep a plan in {known} whose epochs had other updates before"
        raise ConfigError("trainer.on_extend", "keep", rule, f"give the length in {known}, or another policy")
    if extension.steps is None:
        steps = old.steps(extension.epochs * old.pace.steps_per_epoch)
    else:
        steps = half_up(Fraction(extension.steps * clock.pace.steps_per_epoch, old.pace.steps_per_epoch))
    return replace(planned, steps=max(steps, clock.place_before(extension.at)))


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
            raise ConfigError("trainer.on_extend", before.policy, rule, "give keep, or take a schedule of ours")
        else:
            end = math.inf
    return end


def stepped(past: Sequence[Past], horizon: Horizon) -> Horizon:
    """The part of a run in which a scheduler that runs live is stepped."""
    return replace(horizon, steps=int(min(kept_until(past), horizon.steps)), whole=0)


def continued_schedule(schedule: Schedule, past: Sequence[Past], horizon: Horizon) -> Schedule:
    """The schedule of a run whose length changed ``len(past)`` times, to be planned over ``horizon``."""
    from lrsched.schedules.extend import extended

    first = schedule
    lengths = [*(before.planned for before in past), horizon]
    for before, now in zip(past, lengths[1:], strict=True):
        origin = None
        if before.origin is not None:
            earlier, planned, at = before.origin
            origin = continued_schedule(first, earlier, planned), planned, at
        schedule = extended(schedule, before.planned, now, before.at, before.policy, origin=origin)
    return schedule
