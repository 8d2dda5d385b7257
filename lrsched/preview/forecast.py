"""From settings to the course of a run's values, without data or model; for our own schedules without torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lrsched.assembly.extend import continued_schedule, pasts
from lrsched.assembly.horizon import at_pace, foreseen, run_horizon
from lrsched.assembly.kinds import NativeSpec, OpenLoopSpec, SchedulerSpec, refuse_falling, spec_of
from lrsched.assembly.lint import lint, lint_fresh, lint_rest
from lrsched.config.component import Component
from lrsched.config.settings import Settings, base_rate
from lrsched.data.clock import Clock
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import Horizon
from lrsched.preview.course import Course, spans
from lrsched.schedules import Schedule
from lrsched.schedules.checks import require

BLIND = "closed loop: drawn as if no evaluation after the first one were an improvement"


def forecast(run: Settings, name: str, clock: Clock | None = None) -> Course:
    """What training would set in every step.

    Args:
        run: the settings.
        name: of the scheduler.
        clock: of a run that goes on; None: by the counts in the config, from step 0 on.

    Returns:
        The course of all steps of the plan; with a clock, at its pace.

    Raises:
        ConfigError: a value that cannot be used, or a run whose length is not known without its data.
    """
    spec = spec_of(run.scheduler)
    if clock is None:
        horizon = foreseen(run, native=isinstance(spec, NativeSpec))
    else:
        horizon = run_horizon(run.trainer, clock.pace)
    grouped = _is_grouped(run)
    if isinstance(spec, OpenLoopSpec) and not grouped:
        course = _of_schedule(run, spec, name, horizon, clock)
    else:
        course = _of_rehearsal(run, spec, name, horizon, grouped, clock)
    if run.optimizer.target.startswith("schedulefree."):
        moved = ((column.partition("/")[0], values) for column, values in course.columns.items())
        refuse_falling(run.optimizer.cls.__name__, spec, moved)
    return replace(course, cautions=(*course.cautions, *lint_fresh(run, horizon)))


def check_schedule(run: Settings) -> None:
    """Refuse a schedule of ours that cannot be followed, as far as the length of the run is known without its data.

    Raises:
        ConfigError: a value that cannot be used.
    """
    spec, horizon = spec_of(run.scheduler), None
    with suppress(ConfigError):  # the data will tell the length
        horizon = foreseen(run, native=False, count=False)
    if isinstance(spec, OpenLoopSpec) and horizon is not None and not _is_grouped(run):
        _of_schedule(run, spec, "", horizon, None)


def _is_grouped(run: Settings) -> bool:
    """Whether the values of its groups depend on the model."""
    own = run.optimizer.own
    by_model = own.layer_decay is not None or own.corrected_decay is not None or bool(own.groups)
    return by_model or bool(run.scheduler.arguments.get("groups"))


def _of_rehearsal(
    run: Settings, spec: SchedulerSpec, name: str, horizon: Horizon, grouped: bool, clock: Clock | None
) -> Course:
    """What was set in the groups of the run's own optimizer: all of them where they depend on the model."""
    from lrsched.assembly.simulate import rehearse  # these import torch
    from lrsched.assembly.stand_in import stand_in

    seen = rehearse(run, spec, horizon, stand_in(run.model) if grouped else None, clock)
    note, cautions = BLIND if seen.blind else "", (*seen.cautions, *seen.rest)
    course = Course(name, horizon, seen.base, seen.columns, note=note, cautions=cautions, clock=clock)
    if not isinstance(spec, OpenLoopSpec):
        return course
    past, planned = pasts(run.trainer, horizon, clock), at_pace(horizon, clock)
    schedule = continued_schedule(spec.schedule, past, planned)
    return replace(course, spans=spans(schedule.of_group(course.group).plan(planned, seen.base)))


def _of_schedule(run: Settings, spec: OpenLoopSpec, name: str, counted: Horizon, clock: Clock | None) -> Course:
    """A schedule of ours: the table that training looks up."""
    optimizer, past, horizon = run.optimizer, pasts(run.trainer, counted, clock), at_pace(counted, clock)
    try:
        schedule = continued_schedule(spec.schedule, past, horizon).of_group("default")
        bases = {"lr": base_rate(optimizer), **_others(optimizer, schedule)}
        columns = schedule.table(horizon, bases)
        plan = schedule.plan(horizon, bases["lr"])
    except ConfigError as error:
        raise error if error.key.startswith("scheduler") else error.under("scheduler") from error
    for column in columns:
        if column not in ("lr", *schedule.also) and not _has(optimizer, column):
            raise ConfigError(
                f"scheduler.{column}",
                "set",
                f"the schedule moves {column}, which {optimizer.target} does not have",
                f"give scheduler.{column}=null, or an optimizer that has it",
            )
    cautions = (*lint(spec, horizon, horizon.steps, {bases["lr"]}), *lint_rest(spec, columns["lr"], past))
    named = {f"{column}/default": values for column, values in columns.items()}
    return Course(name, counted, bases["lr"], named, spans(plan), cautions=cautions, clock=clock)


def _others(optimizer: Component[Any], schedule: Schedule) -> dict[str, float]:
    """Base values of what ``also`` moves, by the names that a parameter group has."""
    if not schedule.also:
        return {}
    from lrsched.schedulers.values import has_value, read_value  # imports torch

    group = {name: p.default for name, p in _parameters(optimizer).items()} | dict(optimizer.arguments)
    for value in schedule.also:
        rule = f"the schedule moves {value}, which {optimizer.target} does not have"
        require(has_value(group, value), f"also.{value}", UNSET, rule, "take it out of also")
    return {value: read_value(group, value) for value in schedule.also}


def _has(optimizer: Component[Any], value: str) -> bool:
    """Whether the optimizer has such a value to set; its class is only asked where the config does not say."""
    names = {value, "betas"} if value == "momentum" else {value}
    return bool(names & set(optimizer.arguments)) or bool(names & set(_parameters(optimizer)))


def _parameters(optimizer: Component[Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(optimizer.cls).parameters
