"""From settings to the course of a run's values, without data or model; for our own schedules without torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lrsched.assembly.extend import continued_schedule, pasts
from lrsched.assembly.horizon import foreseen
from lrsched.config import schema
from lrsched.config.check import base_rate, take
from lrsched.config.targets import OPTIMIZER, SCHEDULER, build, resolve
from lrsched.console import say
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import Horizon
from lrsched.preview.course import Course, spans
from lrsched.schedules import Schedule
from lrsched.schedules.checks import require
from lrsched.schedules.lint import cautions

ONE_GROUP = "drawn for a group at optimizer.lr: those of optimizer.groups, layer_decay and scheduler.groups differ"


def forecast(run: schema.RunConfig, name: str) -> Course:
    """What training would set in every step.

    Args:
        run: the settings.
        name: of the scheduler.

    Raises:
        ConfigError: a value that cannot be used, or a run whose length is not known without its data.
    """
    cls = resolve(SCHEDULER, str(run.scheduler["_target_"]), "scheduler")
    if issubclass(cls, Schedule) and not _sees(run.scheduler):
        return _open_loop(run, name, foreseen(run, native=False))
    from lrsched.assembly.rehearsal import rehearse  # imports torch

    return rehearse(run, name)


def _sees(node: Mapping[str, Any]) -> bool:
    """Whether a part of a sequence is driven by what it sees: a closed loop."""
    parts = node.get("parts")
    nodes = [part.get("schedule") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    named = [child for child in nodes if isinstance(child, Mapping) and "_target_" in child]
    return not all(issubclass(resolve(SCHEDULER, str(c["_target_"]), "scheduler"), Schedule) for c in named)


def _open_loop(run: schema.RunConfig, name: str, horizon: Horizon) -> Course:
    """A schedule of ours: the table that training looks up."""
    try:
        planned = build(SCHEDULER, run.scheduler, "scheduler")
        schedule = continued_schedule(planned, pasts(run.trainer, horizon), horizon).of_group("default")
        bases = {"lr": _base(run.optimizer), **_others(run.optimizer, schedule)}
        columns = schedule.table(horizon, bases)
        plan = schedule.plan(horizon, bases["lr"])
    except ConfigError as error:
        raise error if error.key.startswith("scheduler") else error.under("scheduler") from error
    for column in columns:
        if column not in ("lr", *schedule.also) and not _has(run.optimizer, column):
            raise ConfigError(
                f"scheduler.{column}",
                "set",
                f"the schedule moves {column}, which {run.optimizer['_target_']} does not have",
                f"give scheduler.{column}=null, or an optimizer that has it",
            )
    for caution in cautions(planned, horizon, bases["lr"]):
        say(f"warning: scheduler: {caution}")
    named = {f"{column}/default": values for column, values in columns.items()}
    reserved, _ = take(schema.OptimizerConfig, run.optimizer, "optimizer")
    grouped = reserved.layer_decay is not None or reserved.groups or planned.groups
    return Course(name, horizon, bases["lr"], named, spans(plan), note=ONE_GROUP if grouped else "")


def _base(node: Mapping[str, Any]) -> float:
    """The base learning rate; where the config leaves it to the optimizer, the optimizer's own."""
    if "lr" in node:
        return base_rate(node["lr"])
    return base_rate(_parameters(node)["lr"].default)


def _others(node: Mapping[str, Any], schedule: Schedule) -> dict[str, float]:
    """Base values of what ``also`` moves, by the names that a parameter group has."""
    if not schedule.also:
        return {}
    from lrsched.schedulers.values import has_value, read_value  # imports torch

    group = {name: parameter.default for name, parameter in _parameters(node).items()} | dict(node)
    for value in schedule.also:
        rule = f"the schedule moves {value}, which {node['_target_']} does not have"
        require(has_value(group, value), f"also.{value}", UNSET, rule, "take it out of also")
    return {value: read_value(group, value) for value in schedule.also}


def _has(node: Mapping[str, Any], value: str) -> bool:
    """Whether the optimizer has such a value to set; its class is only asked where the config does not say."""
    names = {value, "betas"} if value == "momentum" else {value}
    return bool(names & set(node)) or bool(names & set(_parameters(node)))


def _parameters(node: Mapping[str, Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(resolve(OPTIMIZER, str(node["_target_"]), "optimizer")).parameters
