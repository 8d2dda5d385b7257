"""From settings to the parts of a run: data, model, optimizer, scheduler, horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from lrsched.assembly.checks import check_choices, check_monitors, check_parts, check_smallest_batch, lint_parts, ways
from lrsched.assembly.clock import Earlier, clock_of, overlaps
from lrsched.assembly.data import Loaded, chosen_transform, load_data
from lrsched.assembly.extend import pasts
from lrsched.assembly.horizon import at_pace, evaluations_in, run_horizon
from lrsched.assembly.kinds import spec_of
from lrsched.assembly.lint import lint, lint_average, lint_early_stop, lint_fresh
from lrsched.assembly.param_groups import build_optimizer, freeze, rates_of
from lrsched.assembly.scheduler import build_scheduler, snapshots_of
from lrsched.assembly.speed.keys import plainly, with_kernel
from lrsched.assembly.task import fitting_model, labels_of, lint_target, task_of
from lrsched.assembly.trial import try_ensemble, try_metrics, try_model
from lrsched.assembly.weights import Initial, first_model
from lrsched.config.settings import Settings, direction
from lrsched.console import say
from lrsched.data.batch import samples
from lrsched.data.cut import Cut
from lrsched.data.loader import InOrder, Loader
from lrsched.data.transform import Transform
from lrsched.horizon import Horizon
from lrsched.machine.threads import BACKWARD
from lrsched.ranks.world import ALONE, World
from lrsched.records import of_ensembles, with_averages
from lrsched.tasks.task import Task, units_of
from lrsched.train.averaging import build_average
from lrsched.train.evaluate import batches_at_rest
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision
from lrsched.train.rng import seed_generators
from lrsched.train.show import Show
from lrsched.train.state import RunState
from lrsched.train.timetable import Timetable
from lrsched.train.tracker import Tracker, Window
from lrsched.train.update import Update

if TYPE_CHECKING:
    from lrsched.assembly.data import AnySplits
    from lrsched.data.stream.batches import ItemLoader, ItemsInOrder
    from lrsched.data.stream.labels import Labels


@dataclass(frozen=True)
class Parts:
    """Everything that a run is made of, built and at rest at step 0.

    ``minima`` are steps of the plan at which the weights are kept as snapshots, ``units`` those of the metrics;
    ``cautions`` are for the user to read. ``operations`` are those of the forward pass of a sample, None where they
    are unknown. ``renewing`` are the training samples by which batch norm is given the statistics of the weights at
    rest, where updates are made at others. ``world`` are the processes of the run.
    """

    state: RunState
    update: Update
    task: Task
    loader: Loader | ItemLoader
    validation: InOrder | ItemsInOrder
    test: InOrder | ItemsInOrder
    precision: Precision
    horizon: Horizon
    timetable: Timetable
    minima: list[int]
    cautions: list[str]
    data_sha256: str
    units: Mapping[str, str]
    show: Show
    named: NamedMetrics | None
    operations: float | None
    renewing: InOrder | ItemsInOrder | None = None
    world: World = ALONE

    @property
    def operations_of_a_batch(self) -> int | None:
        """The operations of a micro-batch, forward and backward; None: they are unknown."""
        many = min(self.loader.batch_size, self.loader.samples)
        return None if self.operations is None else round((1 + BACKWARD) * self.operations * many)

    @property
    def better(self) -> dict[str, str]:
        """Every metric of an evaluation, and which way it is better."""
        found = {**self.task.better, **(self.named.better if self.named else {})}
        both = found if self.state.average is None else with_averages(found)
        return {**both, **(of_ensembles(self.task.better) if self.minima else {})}


def assemble(
    run: Settings,
    device: torch.device,
    loaded: Mapping[str, Loaded] = MappingProxyType({}),
    earlier: Earlier | None = None,
    initial: Initial | None = None,
    world: World = ALONE,
) -> Parts:
    """Build every part that a config describes.

    Args:
        run: the settings.
        device: where the model and the data will be.
        loaded: data sets that lie in memory already.
        earlier: the checkpoint that the run will go on from, or None.
        initial: weights to start from; None: those that the model is initialised with.
        world: the processes of the run.

    Raises:
        ConfigError: a value that cannot be used.
        DataError: the data set is missing or damaged.
    """
    check_choices(run := with_kernel(plainly(run)))
    seed_generators(run.seed)
    reserved, t = run.dataset.own, run.trainer
    splits, data = load_data(run, loaded)
    task = build_task(run, splits)
    named = named_metrics(run, task, splits.facts, device)
    transform = chosen_transform(run, splits, task, device)
    labels = labels_of(task, splits.facts)
    loader = _loader(run, splits, transform, device, labels, Cut(t.lanes, world.rank, world.size))
    loader.clock = clock = clock_of(run, loader, splits, data, earlier)
    horizon = run_horizon(t, loader.pace)
    loader.ends_at(horizon.steps)
    timetable = timetable_of(run, horizon)

    precision, operations = Precision(t.precision, device), None
    with fitting_model(run.model, run.task, splits.like(), splits.facts):
        model, few, task = first_model(run, splits, task, transform, device, begun=earlier is not None)
        if initial is not None:
            initial.into(model)
        check_smallest_batch(model, loader)
        check_parts(model, loader.cut)
        if samples(few) > 1:  # batch norm has no statistics of a single sample
            operations = try_model(model, few, task, precision, run.model, run.task)
            try_metrics(model, few, task, precision, named, run.task)
    optimizer = build_optimizer(run.optimizer, freeze(model, run.optimizer.own.groups))
    spec, rates = spec_of(run.scheduler), rates_of(optimizer)
    planned, past = at_pace(horizon, clock), pasts(t, loader.pace, clock)
    scheduler = build_scheduler(spec, optimizer, planned, evaluations_in(horizon, timetable.evaluate), past)

    def in_order(part: str, limit: int | None = t.limit_eval_batches) -> InOrder | ItemsInOrder:
        size = reserved.eval_batch_size
        return splits.in_order(part, transform, labels, batch_size=size, device=device, limit=limit)

    ensemble = partial(try_ensemble, model, few, task, precision, run.task)
    minima, unkept = snapshots_of(run, spec, planned, past, ensemble)
    average = run.average and build_average(run.average, planned, model, in_order, reserved.eval_batch_size)
    warned = [
        *lint(spec, planned, timetable.evaluate, rates, past),
        *lint_early_stop(t.early_stop, timetable.patient_from, horizon.steps, timetable.evaluate),
        *overlaps(clock, splits, earlier),
        *lint_target(run.task, task, splits.like(), splits.facts),
        *lint_average(average),
        *lint_fresh(run, horizon),
        *lint_parts(model, loader.cut),
        *unkept,
    ]
    trackers = {**_trackers(run, task), "window": Window(torch.zeros((), dtype=torch.float64, device=device))}
    state = RunState(model, optimizer, scheduler, precision.scaler(), **trackers, clock=clock, average=average)
    on_gradients: dict[str, Any] = {"clip_norm": t.clip_norm, "skip": t.on_nonfinite == "skip", "world": world}
    update = Update(loader, task, precision, seed=run.seed, device=device, **on_gradients)
    show = Show(task, in_order("validation", limit=1), precision, seed=run.seed, device=device, tell=say)
    timed = (in_order("validation"), in_order("test"), precision, horizon, timetable, minima)
    units = _units(run, task, splits.facts, minima)
    renewing = in_order("train", n) if (n := batches_at_rest(optimizer, model, reserved.eval_batch_size)) else None
    return Parts(state, update, task, loader, *timed, warned, data, units, show, named, operations, renewing, world)


def _units(run: Settings, task: Task, facts: Mapping[str, Any], minima: list[int]) -> dict[str, str]:
    """The units of all metrics that a run may have."""
    found = units_of(task, facts)
    both = found if run.average is None else with_averages(found)
    return {**both, **(of_ensembles(found) if minima else {})}


def _trackers(run: Settings, task: Task) -> dict[str, Any]:
    """What remembers the best evaluation, and when to stop early."""
    better, early = {**task.better, **ways(run)}, run.trainer.early_stop
    best = Tracker(run.checkpoint.monitor, direction(better, run.checkpoint.monitor))
    return {"best": best, "early": Tracker(early.monitor, direction(better, early.monitor), early.threshold)}


def _loader(
    run: Settings, splits: AnySplits, transform: Transform, device: torch.device, labels: Labels | None, cut: Cut
) -> Loader | ItemLoader:
    """The batches of the training samples."""
    reserved, t = run.dataset.own, run.trainer
    return splits.loader(
        transform,
        labels,
        batch_size=reserved.batch_size,
        accumulate=t.accumulate,
        seed=run.seed,
        device=device,
        limit=t.limit_batches,
        overfit=t.overfit_batches,
        cut=cut,
    )


def timetable_of(run: Settings, horizon: Horizon) -> Timetable:
    """When to log, evaluate and save, in whole steps."""
    t, c = run.trainer, run.checkpoint
    return Timetable(
        log=horizon.resolve(t.log_every, "trainer.log_every", least=1),
        evaluate=horizon.resolve(t.evaluate_every, "trainer.evaluate_every", least=1),
        save=None if c.every == "auto" else horizon.resolve(c.every, "checkpoint.every", least=1),
        keep=c.keep,
        patience=t.early_stop.patience,
        patient_from=horizon.resolve(t.early_stop.start, "trainer.early_stop.start"),
        pause=run.sweep.until,
        show=None if t.show_every is None else horizon.resolve(t.show_every, "trainer.show_every", least=1),
    )


def build_task(run: Settings, splits: AnySplits) -> Task:
    """What the model is asked, told the facts of the data.

    Raises:
        ConfigError: a metric is monitored that there is not for these data.
    """
    task = task_of(run.task, splits.facts)
    check_monitors(run, {**task.better, **ways(run)})
    return task


def named_metrics(run: Settings, task: Task, facts: Mapping[str, Any], device: torch.device) -> NamedMetrics | None:
    """The metrics of ``trainer.metrics``, told the facts of the data; None: there are none."""
    return NamedMetrics(run.trainer.metrics, task, facts, device) if run.trainer.metrics else None
