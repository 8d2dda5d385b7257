"""From settings to the course of a run's values, without data or model; for our own schedules without torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lrsched.app.extension import continued_schedule, pasts
from lrsched.app.length import foreseen
from lrsched.config import schema
from lrsched.config.check import base_rate
from lrsched.config.targets import OPTIMIZER, SCHEDULER, build, resolve
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.preview.course import Course, spans
from lrsched.schedules import Schedule


def forecast(run: schema.Run, name: str) -> Course:
    """What training would set in every step.

    Args:
        run: the settings.
        name: of the scheduler.

    Raises:
        ConfigError: a value that cannot be used, or a run whose length is not known without its data.
    """
    cls = resolve(SCHEDULER, str(run.scheduler["_target_"]), "scheduler")
    if issubclass(cls, Schedule):
        return _open_loop(run, name, foreseen(run, native=False))
    from lrsched.app.rehearsal import rehearse  # imports torch

    return rehearse(run, name)


def _open_loop(run: schema.Run, name: str, horizon: Horizon) -> Course:
    """A schedule of ours: the table that training looks up."""
    base = _base(run.optimizer)
    try:
        schedule = continued_schedule(
            build(SCHEDULER, run.scheduler, "scheduler"), pasts(run.trainer, horizon), horizon
        )
        columns = schedule.table(horizon, base)
        plan = schedule.plan(horizon, base)
    except ConfigError as error:
        raise error if error.key.startswith("scheduler") else error.under("scheduler") from error
    for column in columns:
        if column != "lr" and not _has(run.optimizer, column):
            raise ConfigError(
                f"scheduler.{column}",
                "set",
                f"the schedule moves {column}, which {run.optimizer['_target_']} does not have",
                f"give scheduler.{column}=null, or an optimizer that has it",
            )
    named = {f"{column}/default": values for column, values in columns.items()}
    return Course(name, horizon, base, named, spans(plan))


def _base(node: Mapping[str, Any]) -> float:
    """The base learning rate; where the config leaves it to the optimizer, the optimizer's own."""
    if "lr" in node:
        return base_rate(node["lr"])
    return base_rate(_parameters(node)["lr"].default)


def _has(node: Mapping[str, Any], value: str) -> bool:
    """Whether the optimizer has such a value to set; its class is only asked where the config does not say."""
    names = {value, "betas"} if value == "momentum" else {value}
    return bool(names & set(node)) or bool(names & set(_parameters(node)))


def _parameters(node: Mapping[str, Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(resolve(OPTIMIZER, str(node["_target_"]), "optimizer")).parameters
