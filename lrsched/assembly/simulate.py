"""What a run would set at each step: its scheduler driven as a run drives it, while nothing is trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from lrsched.assembly.checks import check_choices
from lrsched.assembly.extend import pasts
from lrsched.assembly.horizon import at_pace, evaluations_in, run_horizon
from lrsched.assembly.kinds import OpenLoopSpec, SchedulerSpec, spec_of
from lrsched.assembly.lint import lint, lint_rest
from lrsched.assembly.parts import build_optimizer, timetable_of
from lrsched.assembly.scheduler import build_scheduler, takes_snapshots
from lrsched.config.settings import Settings, base_rate
from lrsched.data.clock import Clock
from lrsched.data.counts import Pace
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler, group_names
from lrsched.schedulers.native import Native
from lrsched.schedulers.table import Table
from lrsched.schedulers.values import GroupPlace, place, read_value
from lrsched.schedules.shapes import Floats
from lrsched.train.averaging import table_of


class _Unchanging(dict[str, float]):
    """What an evaluation shows while nothing is trained: 1 as every metric, so a closed loop sees no improvement."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> float:
        return 1.0


SAME: Mapping[str, float] = _Unchanging()

MOST = 10**6
"""Steps up to which a native scheduler is run to see what it sets: a few seconds."""


def simulate(scheduler: Scheduler, optimizer: Optimizer, steps: Iterable[int], every: int) -> Iterator[int]:
    """Drive a scheduler through updates; yields each one while its values are in force.

    Args:
        scheduler: at rest before the first of the steps.
        optimizer: whose groups it sets.
        steps: the updates, one after the other.
        every: steps between two evaluations.
    """
    for s in steps:
        setattr(optimizer, "_opt_called", True)  # noqa: B010  (PyTorch warns where no update came before)
        if s and s % every == 0:
            scheduler.observe(s, SAME)
        scheduler.set(s)
        yield s


def bring_to(scheduler: Scheduler, optimizer: Optimizer, step: int, every: int, *, evaluated: bool = True) -> None:
    """Bring a new open-loop scheduler and its optimizer's groups to rest after ``step`` updates.

    Args:
        scheduler: as built.
        optimizer: whose groups it sets.
        step: completed updates.
        every: steps between two evaluations.
        evaluated: the one that is due at ``step`` was made; a signal leaves it to the resumed run.
    """
    first = max(0, step - 1) if isinstance(scheduler, Table) else 0
    for _ in simulate(scheduler, optimizer, range(first, step), every):
        pass
    if evaluated and step and step % every == 0:
        scheduler.observe(step, SAME)


def onward(scheduler: Scheduler, optimizer: Optimizer, step: int, stop: int, every: int) -> Iterator[int]:
    """Drive a scheduler that :func:`bring_to` brought to ``step`` through the updates before ``stop``."""
    scheduler.set(step)
    yield step
    yield from simulate(scheduler, optimizer, range(step + 1, stop), every)


@dataclass(frozen=True)
class Foreseen:
    """What a run does, by step.

    Args:
        kind: what must be equal in two runs for their tables to speak of the same: which values move, and which
            are logged.
        table: float64[steps, values + 2 or 3]: the values in force at each update, whether its row is written, whether
            the run is evaluated before it, and the number of its average of the weights, if it has one.
    """

    kind: tuple[Any, ...]
    table: Floats


def foresee(run: Settings, model: nn.Module, pace: Pace | Horizon) -> Foreseen | None:
    """What a run will set, to the bit; None where nobody knows beforehand (a closed loop, a user's own class), and of a
    run that keeps snapshots.

    Args:
        run: the settings.
        model: of the run, for its parameter groups; left as it is.
        pace: of its data.

    Raises:
        ConfigError: a value that cannot be used.
    """
    if takes_snapshots(run, spec_of(run.scheduler)):  # the weights at each minimum are to lie in its own folder
        return None
    horizon = run_horizon(run.trainer, pace)
    timetable = timetable_of(run, horizon)
    optimizer = build_optimizer(run.optimizer, model)
    before = _numbers(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run itself will warn
        evaluations = evaluations_in(horizon, timetable.evaluate)
        past = pasts(run.trainer, pace)
        scheduler = build_scheduler(spec_of(run.scheduler), optimizer, horizon, evaluations, past)
        columns = _columns(scheduler, optimizer, before, horizon.steps, timetable.evaluate)
    if columns is None:
        return None
    places = sorted(columns, key=str)
    steps = np.arange(horizon.steps)
    events = [steps % timetable.log == 0, (steps > 0) & (steps % timetable.evaluate == 0)]
    if run.average is not None:
        events.append(table_of(run.average, horizon)[1])
    return Foreseen(
        (tuple(places), scheduler.moves), np.stack([*(columns[place] for place in places), *events], axis=1)
    )


def _columns(
    scheduler: Scheduler, optimizer: Optimizer, before: Mapping[GroupPlace, float], steps: int, every: int
) -> dict[GroupPlace, Floats] | None:
    """The values that move; those that a native scheduler leaves as the optimizer had them do not."""
    if isinstance(scheduler, Table):
        return scheduler.values()
    if not isinstance(scheduler, Native) or not scheduler.is_open_loop or steps > MOST:
        return None
    table = np.empty((steps, len(before)))
    for s in simulate(scheduler, optimizer, range(steps), every):
        table[s] = list(_numbers(optimizer).values())
    columns = dict(zip(before, np.ascontiguousarray(table.T), strict=True))
    return {place: column for place, column in columns.items() if place[1] == "lr" or (column != before[place]).any()}


def _numbers(optimizer: Optimizer) -> dict[GroupPlace, float]:
    """Every number that the optimizer reads in its groups."""
    found: dict[GroupPlace, float] = {}
    for index, group in enumerate(optimizer.param_groups):
        for key in optimizer.defaults:
            value = group[key]
            items = list(enumerate(value)) if isinstance(value, (tuple, list)) else [(None, value)]
            found |= {(index, key, item): float(v) for item, v in items if isinstance(v, (int, float, Tensor))}
    return found


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What a scheduler set in the parameter groups of a model.

    Args:
        base: the base rate.
        columns: float64[steps] each, by the names that a run's rows have.
        cautions: lint, for the user to read.
        rest: the same of a run that was made longer, by the values of its steps.
        blind: it asked for metrics, and saw none but the same ones again and again.
    """

    base: float
    columns: dict[str, Floats]
    cautions: list[str]
    rest: list[str]
    blind: bool


def rehearse(
    run: Settings, spec: SchedulerSpec, horizon: Horizon, model: nn.Module | None, clock: Clock | None = None
) -> Rehearsal:
    """Run a scheduler without a run: a closed loop sees one that never improves.

    Args:
        run: the settings.
        spec: what its scheduler is.
        horizon: of the run; where it knows no epoch, what is live takes the run for one.
        model: of the run, for its parameter groups; None: those of any model, without names and layers.
        clock: of the run; None: it never changed its pace.

    Raises:
        ConfigError: a value that cannot be used.
    """
    check_choices(run)
    counted = replace(horizon, steps_per_epoch=horizon.steps_per_epoch or horizon.steps)
    every = counted.resolve(run.trainer.evaluate_every, "trainer.evaluate_every", least=1)
    horizon = horizon if isinstance(spec, OpenLoopSpec) else counted
    past, horizon = pasts(run.trainer, horizon, clock), at_pace(horizon, clock)
    # A Linear has its weight in one group and its bias in the other.
    optimizer = build_optimizer(run.optimizer, nn.Linear(2, 2) if model is None else model)
    rates = {float(group["lr"]) for group in optimizer.param_groups}
    evaluations = evaluations_in(horizon, every)
    scheduler = build_scheduler(spec, optimizer, horizon, evaluations, past)
    cautions = lint(spec, horizon, every, rates, past)
    columns = _named(scheduler, optimizer, horizon.steps, every)
    for column in [column for column in columns if model is None and not column.endswith("/default")]:
        if np.array_equal(columns[column], columns[f"{column.partition('/')[0]}/default"]):
            del columns[column]  # a group that goes with the first says nothing new
    rates = [values for name, values in columns.items() if name.startswith("lr/")]
    rest = [] if scheduler.sees_metrics else lint_rest(spec, max(rates, key=lambda values: float(values.max())), past)
    return Rehearsal(base_rate(run.optimizer), columns, cautions, rest, scheduler.sees_metrics)


def _named(scheduler: Scheduler, optimizer: Optimizer, steps: int, every: int) -> dict[str, Floats]:
    """What a scheduler sets, by the names that a run's rows have."""
    named = list(enumerate(zip(group_names(optimizer), optimizer.param_groups, strict=True)))
    places: dict[str, GroupPlace] = {}
    for value in scheduler.moves:
        found = [(f"{value}/{name}", index, place(group, value)) for index, (name, group) in named]
        places |= {name: (index, *where) for name, index, where in found if where is not None}
    if isinstance(scheduler, Table):
        values = scheduler.values()
        return {name: values[where] for name, where in places.items() if where in values}
    table = np.empty((steps, len(places)))
    for s in simulate(scheduler, optimizer, range(steps), every):
        table[s] = [read_value(optimizer.param_groups[i], name.partition("/")[0]) for name, (i, _, _) in places.items()]
    return dict(zip(places, np.ascontiguousarray(table.T), strict=True))
