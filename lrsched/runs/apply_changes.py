"""Apply a change of settings to a run that has begun.

::

    hyperparameters of the optimizer   from the new config; momentum buffers and the like stay
    a table                            the new one, from this step on
    a closed loop, changed             starts anew
    a closed loop, unchanged           its levels follow the base rate
    PyTorch's class, changed           a new one, stepped to this step
    PyTorch's class, unchanged         its base rates and the current rate follow the base rate
    another number of updates an epoch PyTorch's class that counts updates: a new one, stepped to the same place
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from lrsched.assembly.extend import pasts
from lrsched.assembly.horizon import at_pace, evaluations_in
from lrsched.assembly.kinds import spec_of
from lrsched.assembly.parts import Parts, build_optimizer
from lrsched.assembly.scheduler import build_scheduler, counts_updates
from lrsched.assembly.simulate import bring_to
from lrsched.config.settings import Settings
from lrsched.data.clock import Clock
from lrsched.errors import ConfigError
from lrsched.schedulers.base import Scheduler, group_names
from lrsched.schedulers.native import Native
from lrsched.train.state import RunState
from lrsched.train.tracker import Tracker

Values = dict[str, Any]
"""A parameter group without its parameters."""


def adopt(parts: Parts, saved: Mapping[str, Any], before: Settings, now: Settings) -> None:
    """Load a checkpoint into parts that were built with other settings.

    Args:
        parts: built with the settings ``now``, at step 0.
        saved: the state in the checkpoint.
        before: the settings of the checkpoint.
        now: the settings to go on with.

    Raises:
        ConfigError: a change that cannot take effect in a run that has begun.
        CheckpointError: the state does not fit the parts as they are now.
    """
    state, saved = parts.state, dict(saved)
    if before is not now and saved.get("scaler") is None and state.scaler is not None:
        saved["scaler"] = state.scaler.state_dict()
    anew = before.scheduler != now.scheduler
    if state.clock.start and state.clock.start == saved["step"] and not anew:
        anew = counts_updates(now, state.scheduler, state.clock)
        _let_epochs_go_on(saved, state.scheduler, state.clock)
    if not anew and before.optimizer == now.optimizer:
        load(state, saved)
        return
    old = _values(_built_before(parts, before))
    if anew:
        place = state.clock.place(int(saved["step"]))
        _bring_to(state.scheduler, state.optimizer, place, parts.timetable.evaluate)
        new = _values(state.optimizer)
        saved |= {
            "optimizer": _with_groups(saved["optimizer"], new),
            "scheduler": state.scheduler.state_dict(),
            "kept": None,  # belongs to the closed loop before
        }
        load(state, saved)
        return
    new = _values(state.optimizer)
    ratios = _ratios(old, new, group_names(state.optimizer))
    changes = [
        {name: value for name, value in values.items() if name != "lr" and value != was.get(name)}
        for was, values in zip(old, new, strict=True)
    ]
    saved["optimizer"] = _with_groups(saved["optimizer"], changes, ratios)
    if isinstance(saved.get("kept"), Mapping):
        saved["kept"] = {**saved["kept"], "optimizer": _with_groups(saved["kept"]["optimizer"], changes, ratios)}
    load(state, saved)
    state.scheduler.rescale(ratios)


def load(state: RunState, saved: Mapping[str, Any]) -> None:
    """Load a state; metric, mode and threshold of the best and of the early stop come from the config.

    Raises:
        CheckpointError: the state does not fit.
    """
    built = state.best, state.early
    state.load_state_dict(saved)
    state.best, state.early = (
        _judged_by(tracker, wanted) for tracker, wanted in zip((state.best, state.early), built, strict=True)
    )


def _judged_by(tracker: Tracker, wanted: Tracker) -> Tracker:
    """The saved tracker, or a new one if the metric or its mode changed."""
    if (tracker.monitor, tracker.mode) != (wanted.monitor, wanted.mode):
        return wanted
    tracker.threshold = wanted.threshold
    return tracker


def _built_before(parts: Parts, before: Settings) -> Optimizer:
    """Build the optimizer of the settings before, and its scheduler, which sets base rates."""
    optimizer = build_optimizer(before.optimizer, parts.state.model)
    clock = parts.state.clock
    evaluations, horizon = evaluations_in(parts.horizon, parts.timetable.evaluate), at_pace(parts.horizon, clock)
    build_scheduler(
        spec_of(before.scheduler), optimizer, horizon, evaluations, pasts(before.trainer, parts.loader.pace, clock)
    )
    return optimizer


def _let_epochs_go_on(saved: dict[str, Any], scheduler: Scheduler, clock: Clock) -> None:
    """Tell a scheduler that steps after epochs which place is the last one before this step."""
    if isinstance(scheduler, Native) and isinstance(saved["scheduler"], Mapping) and not clock.in_steps:
        place = clock.place(clock.start) - (clock.epoch.denominator == 1)
        saved["scheduler"] = {**saved["scheduler"], "applied": place}


def _bring_to(scheduler: Scheduler, optimizer: Optimizer, step: int, evaluate: int) -> None:
    """Step a scheduler of PyTorch's form to this step; one that takes a metric starts anew."""
    if isinstance(scheduler, Native) and not scheduler.takes_metric:
        bring_to(scheduler, optimizer, step, evaluate)


def _with_groups(saved: Any, values: Sequence[Values], ratios: Sequence[float] | None = None) -> Any:
    """An optimizer's state with other hyperparameters in its groups.

    Args:
        saved: the state.
        values: hyperparameters of each group.
        ratios: scale the current rates by these; None: drop every hyperparameter that is not in ``values``.
    """
    if not isinstance(saved, Mapping) or len(saved.get("param_groups", ())) != len(values):
        return saved  # it does not fit: loading it raises
    pairs = list(zip(saved["param_groups"], values, strict=True))
    if ratios is None:
        groups = [{"params": group["params"], **own} for group, own in pairs]
    else:
        groups = [{**group, **own, "lr": group["lr"] * by} for (group, own), by in zip(pairs, ratios, strict=True)]
    return {**saved, "param_groups": groups}


def _values(optimizer: Optimizer) -> list[Values]:
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]


def _ratios(old: list[Values], new: list[Values], names: list[str]) -> list[float]:
    """New base rate to old one, for each group."""
    ratios = []
    for was, values, name in zip(old, new, names, strict=True):
        before, now = (float(group.get("initial_lr", group["lr"])) for group in (was, values))
        if not before and now:
            rule = f"the base rate of the parameter group {name!r} was 0, and no rate of the run follows from it"
            raise ConfigError("optimizer.lr", now, rule, "allow the change of the scheduler too, or start a new run")
        ratios.append(now / before if before else 1.0)
    return ratios
