"""Schedulers that are known by running them: on the run's own optimizer, around a model of two numbers."""

from __future__ import annotations

import numpy as np
from torch import nn

from lrsched.assembly.horizon import foreseen
from lrsched.assembly.lint import lint
from lrsched.assembly.parts import build_optimizer, check_choices
from lrsched.assembly.scheduler import build_scheduler, lengths
from lrsched.assembly.simulate import advance
from lrsched.config import schema
from lrsched.config.targets import SCHEDULER, resolve
from lrsched.console import say
from lrsched.preview.course import RATE, Course
from lrsched.schedulers.base import Scheduler, group_names
from lrsched.schedulers.native import Native
from lrsched.schedulers.values import read_value
from lrsched.schedules import Schedule

BLIND = "closed loop: drawn as if no evaluation after the first one were an improvement"


def rehearse(run: schema.RunConfig, name: str) -> Course:
    """The values that a scheduler sets when it is called as a run calls it, but nothing is trained.

    A closed loop is shown the same metrics again and again: its course is that of a run which never
    improves, and the note says so.

    Args:
        run: the settings.
        name: of the scheduler.

    Raises:
        ConfigError: a value that cannot be used.
    """
    check_choices(run)
    cls = resolve(SCHEDULER, str(run.scheduler["_target_"]), "scheduler")
    native = not issubclass(cls, (Scheduler, Schedule))
    horizon = foreseen(run, native=native)
    every = horizon.resolve(run.trainer.evaluate_every, "trainer.evaluate_every", least=1)
    optimizer = build_optimizer(run.optimizer, nn.Linear(2, 2))  # its weight is in one group, its bias in the other
    base = float(optimizer.param_groups[0]["lr"])
    scheduler = build_scheduler(run.scheduler, optimizer, horizon, -(-horizon.steps // every))
    for caution in lint(run.scheduler, horizon, lengths(horizon, -(-horizon.steps // every)), {base}):
        say(f"warning: {caution}")
    names = [f"{value}/{group}" for value in scheduler.moves for group in group_names(optimizer)]
    table = np.empty((horizon.steps, len(names)))
    for s in range(horizon.steps):
        advance(scheduler, optimizer, s, every)
        table[s] = [read_value(group, value) for value in scheduler.moves for group in optimizer.param_groups]
    columns = dict(zip(names, np.ascontiguousarray(table.T), strict=True))
    for column in [column for column in names if not column.endswith("/default")]:
        if np.array_equal(columns[column], columns[f"{column.partition('/')[0]}/default"]):
            del columns[column]  # a group that goes with the first says nothing new
    ordered = {RATE: columns.pop(RATE), **columns}
    return Course(name, horizon, base, ordered, note=BLIND if _looks(scheduler) else "")


def _looks(scheduler: Scheduler) -> bool:
    """Whether what it sets depends on metrics."""
    if isinstance(scheduler, Native):
        return scheduler.takes_metric
    return type(scheduler).observe is not Scheduler.observe
