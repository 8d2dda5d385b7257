"""From what a scheduler is to what drives the optimizer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import accumulate
from typing import Any

from torch.optim import Optimizer

from lrsched.assembly.extend import Past, continued_schedule, kept_until, stepped
from lrsched.assembly.horizon import lengths, run_horizon
from lrsched.assembly.kinds import (
    LENGTHS,
    ClosedLoopSpec,
    HandoverSpec,
    NativeSpec,
    OpenLoopSpec,
    SchedulerSpec,
    refuse_falling,
    spec_of,
)
from lrsched.assembly.native import Span, build_native, depends_on_length, refuse_own_errors, span_of
from lrsched.assembly.param_groups import CORRECTED
from lrsched.assembly.shares import refuse_lost_shares, shares_of, stand_in
from lrsched.config.component import Component
from lrsched.config.schema import NativeConfig
from lrsched.config.settings import Settings
from lrsched.config.walk import leaves
from lrsched.data.clock import Clock
from lrsched.data.counts import Pace
from lrsched.errors import UNSET, ConfigError
from lrsched.horizon import Horizon
from lrsched.optimizers.switching import switches
from lrsched.schedulers.base import Scheduler, group_names
from lrsched.schedulers.handover import Handover, Segment
from lrsched.schedulers.native import Native, nested
from lrsched.schedulers.table import Table
from lrsched.schedules import Schedule
from lrsched.units import count


def build_scheduler(
    spec: SchedulerSpec,
    optimizer: Optimizer,
    horizon: Horizon,
    evaluations: int,
    past: Iterable[Past] = (),
) -> Scheduler:
    """The scheduler of a run, on its optimizer.

    Args:
        spec: what the config's ``scheduler`` is.
        optimizer: with the base values in its groups.
        horizon: the run.
        evaluations: how many the run has, which is the horizon of interval ``evaluation``.
        past: lengths that it was planned for before, oldest first.

    Raises:
        ConfigError: a value that cannot be used.
    """
    past = list(past)
    first, counted = (past[0].planned, past[0].evaluations) if past else (horizon, evaluations)  # as it was planned
    try:
        if not isinstance(spec, OpenLoopSpec):
            _refuse_unknown(spec, optimizer)
        match spec:
            case OpenLoopSpec():
                schedule = _corrected(continued_schedule(spec.schedule, past, horizon), optimizer)
                table = Table(optimizer, schedule, horizon)
                if switches(optimizer):
                    moved = ((name, values) for (_, name, _), values in table.values().items())
                    refuse_falling(type(optimizer).__name__, spec, moved)
                return table
            case HandoverSpec():
                _refuse_extension(past, "a sequence with a closed loop")
                table = Table(optimizer, continued_schedule(spec.sequence, past, horizon), horizon)
                return Handover(table, _segments(spec, optimizer, first))
            case ClosedLoopSpec():
                return spec.node.build(optimizer=optimizer, horizon=first)
            case NativeSpec(node):
                if depends_on_length(node):
                    _refuse_extension(past, f"{node.cls.__name__} with a length of auto, which its state keeps")
                interval: Any = node.own.interval
                live = stepped(past, horizon)
                calls = lengths(live, evaluations if live.steps == horizon.steps else counted)[interval]
                inner = _native(node, optimizer, span_of(first, counted, interval), calls)
                return Native(inner, interval, horizon.steps_per_epoch, node.own.monitor, kept_until(past))
    except ConfigError as error:
        raise (
            error if error.key.startswith(("scheduler", "trainer", "optimizer")) else error.under("scheduler")
        ) from error


def _corrected(schedule: Schedule, optimizer: Optimizer) -> Schedule:
    """The schedule under which groups that ask for it lose lr_t·λ·lr_t/lr_max of themselves: λ goes with the rate."""
    groups: dict[str, Schedule] = {}
    for name, group in zip(group_names(optimizer), optimizer.param_groups, strict=True):
        if group.get(CORRECTED):
            own = schedule.of_group(name)
            if own.also.get("weight_decay", "same") != "same":
                rule = f"moves the weight decay of the group {name} already, which optimizer.corrected_decay ties to lr"
                raise ConfigError("scheduler.also.weight_decay", UNSET, rule, "leave one of the two out")
            groups[name] = replace(own, also={**own.also, "weight_decay": "same"}, groups={})
    return replace(schedule, groups={**groups, **schedule.groups}) if groups else schedule


def _refuse_unknown(spec: SchedulerSpec, optimizer: Optimizer) -> None:
    """Refuse what is not known beforehand where that is needed: the table of a schedule of ours."""
    if any(group.get(CORRECTED) for group in optimizer.param_groups):
        rule = f"is for schedules of ours, and {spec.node.cls.__name__} moves the rate step by step"
        raise ConfigError("optimizer.corrected_decay", UNSET, rule, "take scheduler=cosine, or leave it null")
    if switches(optimizer):
        refuse_falling(type(optimizer).__name__, spec, ())


def takes_snapshots(run: Settings, spec: SchedulerSpec) -> bool:
    """Whether a run keeps its weights at the minima of its schedule; ``scheduler=snapshot`` does unless it is told."""
    asked = run.checkpoint.snapshots
    return getattr(spec.node.cls, "snapshots", False) if asked is None else asked > 0


def snapshots_of(
    run: Settings, spec: SchedulerSpec, horizon: Horizon, past: Sequence[Past], try_ensemble: Callable[[], None]
) -> tuple[list[int], list[str]]:
    """The steps of the plan at which a run keeps its weights as snapshots, none where it keeps none; and warnings.

    Args:
        run: the settings.
        spec: what the config's ``scheduler`` is.
        horizon: the run.
        past: lengths that it was planned for before, oldest first.
        try_ensemble: refuses a task that makes no ensemble.

    Raises:
        ConfigError: they are asked for, and there can be none.
    """
    if not takes_snapshots(run, spec):
        return [], []
    asked, name = run.checkpoint.snapshots, spec.node.cls.__name__
    remedy = "take scheduler=snapshot, sgdr or cyclic, or checkpoint.snapshots=0"
    if not isinstance(spec, OpenLoopSpec):
        rule = f"are taken at the minima of a schedule, and those of {name} are not known beforehand"
        raise ConfigError("checkpoint.snapshots", asked, rule, remedy)
    minima = continued_schedule(spec.schedule, past, horizon).minima(horizon)
    if not minima:
        rule = f"are taken where the rate has fallen, and {name} never falls in {count(horizon.steps, 'step')}"
        raise ConfigError("checkpoint.snapshots", asked, rule, remedy)
    try:
        try_ensemble()
    except ConfigError as error:
        if asked:
            raise
        return [], [f"checkpoint.snapshots: none are kept; {error}"]
    if len(minima) == 1 and asked:
        rule = f"{name} has one minimum in this run, and an ensemble of one is its weights there"
        return minima, [f"checkpoint.snapshots={asked}: {rule}; scheduler=snapshot has several"]
    return minima, []


def _refuse_extension(past: Iterable[Past], what: str) -> None:
    """A live scheduler goes on with the length it was built with: PyTorch would ignore another without a word."""
    for before in past:
        if before.policy != "keep":
            rule = f"{what}, can only go on as planned"
            raise ConfigError("trainer.on_extend", before.policy, rule, "give keep, or take a schedule of ours")


def _native(node: Component[NativeConfig], optimizer: Optimizer, span: Span, length: int) -> Any:
    """An instance of a class in PyTorch's form, under which groups keep their shares and no step fails.

    Args:
        node: of the scheduler.
        optimizer: of the run.
        span: the run as it was planned first.
        length: of the part in which it is stepped, in its interval.
    """
    calls = length if node.own.interval == "evaluation" else length - 1
    shares = shares_of(optimizer)
    build = partial(build_native, node, span)
    tried = build(stand_in(optimizer), shares)
    refuse_own_errors(node.key, tried, calls)
    if shares is not None and any(not type(part).__module__.startswith("torch.") for part in nested(tried)):
        refuse_lost_shares(node.key, build, optimizer, shares, calls)
    return build(optimizer, shares)


def counts_updates(run: Settings, scheduler: Scheduler, clock: Clock) -> bool:
    """Whether a scheduler runs live and counts updates, or evaluations, of which a pass over the data has others now.

    Evaluations that are meant in time, and fall a little later or earlier by rounding, count for a length of ``auto``
    alone.

    Raises:
        ConfigError: it counts them to a length that the config gives in them, or without end.
    """
    spec = spec_of(run.scheduler)
    if (
        not isinstance(spec, NativeSpec)
        or not isinstance(scheduler, Native)
        or scheduler.takes_metric
        or clock.in_steps
    ):
        return False
    interval, old = spec.node.own.interval, clock.before[-1].pace.steps_per_epoch
    if interval == "epoch" or old == clock.pace.steps_per_epoch:
        return False
    if interval == "evaluation" and not run.trainer.evaluate_every.endswith("st"):
        paces = (clock.before[-1].pace, clock.pace)
        gaps = {Fraction(_evaluated_every(run, pace), pace.steps_per_epoch) for pace in paces}
        return len(gaps) > 1 and depends_on_length(spec.node)
    found = [(key, value) for key, value in leaves(spec.node.arguments) if value is not None]
    for key, value in found:
        name = re.split(r"[.\[]", key)
        if value != "auto" and ("milestones" in name or (name[-1] in LENGTHS and name[-1] != "T_mult")):
            raise _in_old_updates(f"scheduler.{key}", value, old, clock)
    if not depends_on_length(spec.node):
        raise _in_old_updates("scheduler._target_", run.scheduler.target, old, clock)
    return True


def _evaluated_every(run: Settings, pace: Pace) -> int:
    return run_horizon(run.trainer, pace).resolve(run.trainer.evaluate_every, "trainer.evaluate_every", least=1)


def _in_old_updates(key: str, value: object, old: int, clock: Clock) -> ConfigError:
    rule = f"counts updates, of which an epoch had {old} and now has {clock.pace.steps_per_epoch}"
    return ConfigError(key, value, rule, "give auto for a length, or take interval=epoch or a schedule of ours")


def at_its_place(saved: Any, scheduler: Scheduler, clock: Clock, evaluated: int) -> Any:
    """Tell a scheduler that steps after epochs or evaluations which place was the last one before this step."""
    if not isinstance(scheduler, Native) or not isinstance(saved, Mapping) or clock.in_steps:
        return saved
    last = clock.place(clock.start) - (clock.epoch.denominator == 1)
    if scheduler.interval == "evaluation":
        last = clock.place_before(max(evaluated, 0))
    return {**saved, "applied": last}


def _segments(spec: HandoverSpec, optimizer: Optimizer, horizon: Horizon) -> list[Segment]:
    """A closed loop for each part of the sequence that one drives; the last part lasts to whatever end."""
    sequence = spec.sequence
    lead = sequence.lead(horizon)
    parts = sequence.lengths(horizon.steps - lead, horizon)
    starts = list(accumulate(parts, initial=lead))
    segments = []
    for j, node in spec.loops.items():
        if parts[j]:
            loop = node.build(optimizer=optimizer, horizon=horizon.part(parts[j]))
            end = starts[j + 1] if starts[j + 1] < horizon.steps else math.inf
            segments.append(Segment(starts[j], end, loop))
    return segments
