"""What a schedule does when a run is continued for longer or shorter than it was planned for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Literal, TypeAlias

from lrsched.errors import ConfigError, nearest
from lrsched.horizon import POLICIES, Duration, Horizon, Policy, half_up
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import require
from lrsched.schedules.phases import Part, Phase, Plan, clip, hold, rest
from lrsched.schedules.shapes import Shape, constant, exponential, linear
from lrsched.units import count

Origin: TypeAlias = tuple[Schedule, Horizon, int]
"""A schedule, the run that it was planned for, and the completed steps of it."""


def extended(
    schedule: Schedule,
    planned: Horizon,
    now: Horizon,
    at: int,
    policy: Policy | None,
    decay: Duration | None = None,
    *,
    origin: Origin | None = None,
) -> Schedule:
    """The schedule of a run that was planned for P steps, was stopped after ``at`` and is to have N.

    Before step ``at`` its values are those of the planned run, bit for bit: they are the past. With p_t
    the planned values, v = p_{at−1} the value in force (p_0 where at = 0), f = ``final`` (or v where it
    lies below already) and R = N − at the steps that are left, the values from step ``at`` on are

    ::

        keep      p_t; after the plan's end p_{P−1}
        stretch   q_t, where q is the schedule planned for N steps; percentages are of N
        cooldown  v, and over the last d steps from v to f in a line, x = i/d
        restart   r_{t−at}, where r is the schedule, with its warm-up, planned for a run of R steps
        reanneal  from v to f along the shape of the plan's last falling phase (without one a line), x = i/R

    ``at = N`` leaves the past alone. Other values of the group (momentum) follow keep, stretch and
    restart; under cooldown and reanneal they stay as they are. The curves of ``also`` and ``groups`` go on
    by the same policy, each from its own value. What was extended can be extended again.

    Args:
        schedule: the run's schedule until now.
        planned: the run as it was planned.
        now: the run as it is to be.
        at: completed steps, at most those of either run.
        policy: one of the five.
        decay: d of ``cooldown``, a duration of the new run; null is 20 % of R, at least one step.
        origin: where the value in force comes from, if the run had another pace until then: its schedule, as it was
            planned, and the completed steps, all at that pace. None: from ``schedule``.

    Returns:
        A schedule to be planned over ``now``.

    Raises:
        ConfigError: no policy, or an unknown one; ``at`` lies outside of a run; a decay longer than R.

    >>> from lrsched.schedules import Linear
    >>> planned, now = Horizon(steps=4), Horizon(steps=6)
    >>> for policy in POLICIES:
    ...     print(policy, extended(Linear(), planned, now, 2, policy).plan(now).table().round(3).tolist())
    keep [1.0, 0.75, 0.5, 0.25, 0.25, 0.25]
    stretch [1.0, 0.75, 0.667, 0.5, 0.333, 0.167]
    cooldown [1.0, 0.75, 0.75, 0.75, 0.75, 0.75]
    restart [1.0, 0.75, 1.0, 0.75, 0.5, 0.25]
    reanneal [1.0, 0.75, 0.75, 0.562, 0.375, 0.188]
    """
    if policy is None:
        rule = (
            f"the run was planned for {planned.steps} steps and is to have {now.steps}: how is its schedule to go on?"
        )
        choices = "; ".join(f"{name} ({meaning})" for name, meaning in POLICIES.items())
        raise ConfigError("trainer.on_extend", None, rule, f"give trainer.on_extend as one of {choices}")
    rule = f"is not one of {', '.join(POLICIES)}"
    require(policy in POLICIES, "trainer.on_extend", policy, rule, nearest(policy, POLICIES))
    for run in (planned, now):
        require(
            0 <= at <= run.steps, "at", at, f"lies outside of a run of {run.steps} steps", "go on from a step in it"
        )
    left = now.steps - at
    down = now.resolve(decay, "decay", least=1) if decay else max(1, half_up(Fraction(left, 5)))
    fits = down <= left or not left or policy != "cooldown"
    require(fits, "decay", decay, f"is {count(down, 'step')}, but only {left} are left", "shorten it")

    def again(curve: Schedule, of: Callable[[Schedule], Schedule | Literal["same"]]) -> Schedule:
        was = None if origin is None else of(origin[0])
        old = None if origin is None or not isinstance(was, Schedule) else (was, *origin[1:])
        return extended(curve, planned, now, at, policy, decay, origin=old)

    return Extended(
        of=schedule,
        planned=planned,
        at=at,
        policy=policy,
        down=down,
        origin=origin,
        final=schedule.final,
        past=schedule.past,
        also={
            name: curve if curve == "same" else again(curve, lambda old, name=name: old.also[name])
            for name, curve in schedule.also.items()
        },
        groups={word: again(other, lambda old, word=word: old.groups[word]) for word, other in schedule.groups.items()},
    )


@dataclass(frozen=True, kw_only=True)
class Extended(Schedule):
    """The past of a run and a policy for what is left of it: see :func:`extended`, which makes one.

    Args:
        of: the schedule until now.
        planned: the run that it was planned for.
        at: completed steps.
        policy: how it goes on.
        down: steps of a cooldown's decay.
        origin: as for :func:`extended`.
    """

    of: Schedule
    planned: Horizon
    at: int
    policy: Policy
    down: int
    origin: Origin | None = None

    @property
    def root(self) -> Schedule:
        """The schedule before it was ever extended: the one to stretch and to start anew."""
        return self.of.root if isinstance(self.of, Extended) else self.of

    def phases(self, steps: int, horizon: Horizon, peak: float) -> Sequence[Part]:
        plan = self.of.plan(self.planned, peak)
        past, left = clip(plan.parts, self.at), steps - self.at
        value = self._in_force(plan, lambda schedule, planned: schedule.plan(planned, peak))
        end = min(value, self._floor(peak))
        if left <= 0:
            return clip(past, steps)
        if self.policy == "cooldown":
            down = min(self.down, left)
            return [*past, hold(left - down, value, "stable"), Phase(down, value, end, name="cooldown")]
        if self.policy == "reanneal":
            return [*past, Phase(left, value, end, _shape_of_last_fall(plan, end), name="reanneal")]
        return [*past, *self._again(plan, lambda run: self.root.plan(run, peak), horizon)]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        columns: dict[str, Sequence[Part]] = {}
        for name, plan in self.of.companion_plans(self.planned).items():
            past, left = clip(plan.parts, self.at), steps - self.at
            if left <= 0:
                columns[name] = clip(past, steps)
            elif self.policy in ("cooldown", "reanneal"):
                value = self._in_force(plan, partial(_companion, name=name))
                columns[name] = [*past, hold(left, value, "held")]
            else:
                columns[name] = [
                    *past,
                    *self._again(plan, lambda run, name=name: _companion(self.root, run, name), horizon),
                ]
        return columns

    def _in_force(self, plan: Plan, planned: Callable[[Schedule, Horizon], Plan]) -> float:
        """The last value before the run was continued."""
        if self.origin is None:
            return plan[max(0, self.at - 1)]
        schedule, horizon, at = self.origin
        return planned(schedule, horizon)[at - 1]

    def _again(self, plan: Plan, anew: Callable[[Horizon], Plan], horizon: Horizon) -> list[Part]:
        """What follows the past under keep, stretch and restart; ``anew`` plans the root over another run."""
        if self.policy == "keep":
            beyond = hold(max(0, horizon.steps - plan.steps), plan[plan.steps - 1], "held")
            return clip([*rest(plan.parts, self.at), beyond], horizon.steps - self.at)
        if self.policy == "stretch":
            return rest(anew(horizon).parts, self.at)
        return list(anew(replace(horizon, steps=horizon.steps - self.at, whole=0)).parts)


def _companion(schedule: Schedule, horizon: Horizon, name: str) -> Plan:
    return schedule.companion_plans(horizon)[name]


def _shape_of_last_fall(plan: Plan, end: float) -> Shape:
    """The shape of the plan's last falling phase, or a line: also for an exponential that is to go to 0."""
    for part in reversed(plan.parts):
        if isinstance(part, Phase) and part.end < part.start and part.shape is not constant:
            return linear if part.shape is exponential and end <= 0 else part.shape
    return linear
