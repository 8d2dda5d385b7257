"""What a run will set in every step of it, in all parameter groups, to the bit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from lrsched.assembly.horizon import run_horizon
from lrsched.assembly.parts import build_optimizer, timetable_of
from lrsched.assembly.scheduler import build_scheduler
from lrsched.assembly.simulate import advance
from lrsched.config import schema
from lrsched.data.counts import Pace
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler
from lrsched.schedulers.native import Native
from lrsched.schedulers.table import Table
from lrsched.schedules.shapes import Floats

MOST = 10**6
"""Steps up to which a native scheduler is run to see what it sets: a few seconds."""

Place = tuple[int, str, int | None]
"""Number of a parameter group, key and item of a value in it."""


@dataclass(frozen=True)
class Foreseen:
    """A run's values, by step.

    Args:
        kind: what must be equal in two runs for their tables to speak of the same: which values move, which
            are logged, and when the run logs and evaluates.
        table: float64[steps, values].
    """

    kind: tuple[Any, ...]
    table: Floats


def foresee(run: schema.RunConfig, model: nn.Module, pace: Pace | Horizon) -> Foreseen | None:
    """What a run will set, or None where that is not known beforehand: a closed loop, somebody else's code.

    Args:
        run: the settings.
        model: of the run, for its parameter groups; left as it is.
        pace: of its data.

    Raises:
        ConfigError: a value that cannot be used.
    """
    horizon = run_horizon(run.trainer, pace)
    timetable = timetable_of(run, horizon)
    optimizer = build_optimizer(run.optimizer, model)
    before = _numbers(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run itself will warn
        scheduler = build_scheduler(run.scheduler, optimizer, horizon, -(-horizon.steps // timetable.evaluate))
        columns = _columns(scheduler, optimizer, before, horizon.steps, timetable.evaluate)
    if columns is None:
        return None
    places = sorted(columns, key=str)
    kind = (tuple(places), scheduler.moves, timetable.log, timetable.evaluate)
    return Foreseen(kind, np.stack([columns[place] for place in places], axis=1))


def _columns(
    scheduler: Scheduler, optimizer: Optimizer, before: Mapping[Place, float], steps: int, every: int
) -> dict[Place, Floats] | None:
    """The values that move; those that a native scheduler leaves as the optimizer had them do not."""
    if isinstance(scheduler, Table):
        return scheduler.values()
    if not isinstance(scheduler, Native) or not scheduler.is_open_loop or steps > MOST:
        return None
    table = np.empty((steps, len(before)))
    for s in range(steps):
        advance(scheduler, optimizer, s, every)
        table[s] = list(_numbers(optimizer).values())
    columns = dict(zip(before, np.ascontiguousarray(table.T), strict=True))
    return {place: column for place, column in columns.items() if place[1] == "lr" or (column != before[place]).any()}


def _numbers(optimizer: Optimizer) -> dict[Place, float]:
    """Every number that the optimizer reads in its groups."""
    found: dict[Place, float] = {}
    for index, group in enumerate(optimizer.param_groups):
        for key in optimizer.defaults:
            value = group[key]
            items = list(enumerate(value)) if isinstance(value, (tuple, list)) else [(None, value)]
            found |= {(index, key, item): float(v) for item, v in items if isinstance(v, (int, float, Tensor))}
    return found
