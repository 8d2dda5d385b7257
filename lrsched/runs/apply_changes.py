"""Apply a change of settings to a run that has begun: from here on it does what a run of the new config would.

::

    hyperparameters of the optimizer    from the new config; momentum buffers and the like stay
    a schedule, a class of PyTorch's    the new one, brought to this step
    a closed loop after another one     stays at its level, times the change of the base rate; it keeps what it has
                                        seen if it judges the same metric in the same way
    a closed loop after a schedule      begins at the base rate
    updates an epoch                    a class of PyTorch's that counts updates: a new one, brought to the same place
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from lrsched.assembly.extend import pasts
from lrsched.assembly.horizon import at_pace, evaluations_in, run_horizon
from lrsched.assembly.kinds import spec_of
from lrsched.assembly.parts import Parts, build_optimizer
from lrsched.assembly.scheduler import at_its_place, build_scheduler, counts_updates
from lrsched.assembly.simulate import bring_to, onward
from lrsched.config.settings import Settings
from lrsched.errors import UNSET, ConfigError
from lrsched.optimizers.switching import require_same_average
from lrsched.schedulers.base import Scheduler, group_names
from lrsched.schedulers.native import Native
from lrsched.train.state import RunState
from lrsched.train.tracker import Tracker

MOST = 10**5
"""Steps over which two schedules are compared: a few seconds at most."""

Values = dict[str, Any]
"""A parameter group without its parameters."""


@dataclass(frozen=True)
class _Built:
    """An optimizer and its scheduler; ``first`` is what the groups held when both were built."""

    run: Settings
    steps: int
    optimizer: Optimizer
    scheduler: Scheduler
    first: list[Values]


def adopt(parts: Parts, saved: Mapping[str, Any], before: Settings, now: Settings) -> list[str]:
    """Load a checkpoint into parts that were built with other settings.

    Args:
        parts: built with the settings ``now``, wherever they are.
        saved: the state in the checkpoint.
        before: the settings of the checkpoint.
        now: the settings to go on with.

    Returns:
        What takes effect, in words.

    Raises:
        ConfigError: a change that cannot take effect in a run that has begun.
        CheckpointError: the state does not fit the parts as they are now.
    """
    state, saved = parts.state, dict(saved)
    if before is not now and saved.get("scaler") is None and state.scaler is not None:
        saved["scaler"] = state.scaler.state_dict()
    same = (before.optimizer, before.scheduler) == (now.optimizer, now.scheduler)
    if same and state.clock.start and state.clock.start == saved["step"]:
        same = not counts_updates(now, state.scheduler, state.clock)
        saved["scheduler"] = at_its_place(saved["scheduler"], state.scheduler, state.clock, saved["evaluated"])
    if same and not _was_stepped_at_its_end(state.scheduler, before, now):
        load(state, saved)
        return []
    _require_same_frozen(before, now)
    require_same_average(before.optimizer, now.optimizer)
    old, new = _built(parts, before), _built(parts, now)
    had, has = group_names(old.optimizer), group_names(new.optimizer)
    if had != has:
        rule = f"would put the parameters into the groups {', '.join(has)}, and the run has {', '.join(had)}"
        raise ConfigError("optimizer", UNSET, rule, "start a new run")
    adapt = _keep_level if state.scheduler.sees_metrics else _bring
    return adapt(parts, saved, old, new)


def _was_stepped_at_its_end(scheduler: Scheduler, before: Settings, now: Settings) -> bool:
    """Whether the last evaluation of the plan may have moved values that are to be held as they were before it."""
    longer = before.trainer.extensions != now.trainer.extensions
    return longer and isinstance(scheduler, Native) and scheduler.interval == "evaluation"


def _bring(parts: Parts, saved: dict[str, Any], old: _Built, new: _Built) -> list[str]:
    """Bring a scheduler that is known beforehand to this step."""
    step, every = int(saved["step"]), parts.timetable.evaluate
    at = parts.state.clock.place(step)
    bring_to(new.scheduler, new.optimizer, at, every, evaluated=saved["evaluated"] == step)
    saved |= {
        "optimizer": _with_groups(saved["optimizer"], old, new),
        "scheduler": deepcopy(new.scheduler.state_dict()),
        "kept": None,  # belongs to the closed loop before
    }
    load(parts.state, saved)
    if old.scheduler.sees_metrics:
        return [f"{new.run.scheduler.cls.__name__} takes the place of a closed loop"]
    return _effects(old, _built(parts, new.run), at, every, step - at)


def _effects(old: _Built, new: _Built, at: int, every: int, shift: int) -> list[str]:
    """Compare what both, as built, set from this place of the plan on, and say at which step the rates differ first.

    Raises:
        ConfigError: a changed hyperparameter of the optimizer that the scheduler replaces in every step.
    """
    end = min(old.steps, new.steps)
    stop = min(end, at + MOST)
    if at >= stop:
        return []
    was, now = old.run.optimizer.arguments, new.run.optimizer.arguments
    groups = new.optimizer.param_groups
    idle = {name for name in now if now[name] != was.get(name) and all(name in group for group in groups)}
    said = ""
    for built in (old, new):
        bring_to(built.scheduler, built.optimizer, at, every)
    pairs = zip(
        onward(old.scheduler, old.optimizer, at, stop, every),
        onward(new.scheduler, new.optimizer, at, stop, every),
        strict=True,
    )
    for s, _ in pairs:
        for before, after in zip(old.optimizer.param_groups, groups, strict=True):
            idle -= {name for name in idle if after[name] != before.get(name)}
            if not said and after["lr"] != before["lr"]:
                rates = f"{float(after['lr']):.4g} at step {s + shift}, where it was to be {float(before['lr']):.4g}"
                said = f"the rate is {rates}"
        if said and not idle:
            break
    if idle and stop == end:
        raise _idle(min(idle), new.run)
    if not said and (was.get("lr") != now.get("lr") or old.run.scheduler != new.run.scheduler):
        said = f"the rates of the steps {at + shift} to {stop - 1 + shift} are the same"
    return [said] if said else []


def _idle(name: str, run: Settings) -> ConfigError:
    rule = f"changes nothing in the rest of the run: {run.scheduler.cls.__name__} sets {name} by arguments of its own"
    own = {"lr": ("max_lr", "base_lr", "swa_lr"), "momentum": ("base_momentum", "max_momentum")}
    known = [f"scheduler.{key}" for key in own.get(name, ()) if key in run.scheduler.arguments]
    remedy = f"change {' and '.join(known) if known else 'those'}, or leave it as it was"
    return ConfigError(f"optimizer.{name}", run.optimizer.arguments[name], rule, remedy)


def _keep_level(parts: Parts, saved: dict[str, Any], old: _Built, new: _Built) -> list[str]:
    """Let a closed loop go on at the level of the one before; after a schedule it begins at the base rate."""
    state, name = parts.state, new.run.scheduler.cls.__name__
    if not old.scheduler.sees_metrics:
        groups = _with_groups(saved["optimizer"], old, new)
        load(state, {**saved, "optimizer": groups, "scheduler": deepcopy(new.scheduler.state_dict()), "kept": None})
        return [f"{name} begins at the base rate"]
    ratios = _ratios(old.first, new.first, group_names(state.optimizer))
    optimizer, kept = _with_groups(saved["optimizer"], old, new, ratios), saved.get("kept")
    for group, at_rest in zip(old.optimizer.param_groups, saved["optimizer"]["param_groups"], strict=True):
        group["lr"] = at_rest["lr"]
    old.scheduler.load_state_dict(saved["scheduler"])
    remembers = state.scheduler.judges_like(old.scheduler)
    if isinstance(kept, Mapping):
        kept = {**kept, "optimizer": _with_groups(kept["optimizer"], old, new, ratios)} if remembers else None
    load(state, {**saved, "optimizer": optimizer, "scheduler": deepcopy(new.scheduler.state_dict()), "kept": kept})
    state.scheduler.go_on_from(old.scheduler, ratios)
    if old.run.scheduler == new.run.scheduler and all(ratio == 1 for ratio in ratios):
        return []
    memory = "it keeps what it has seen" if remembers else "it has seen no evaluation yet"
    where = " ".join(["its level", *(f"{level:.4g}" for level in dict.fromkeys(state.scheduler.levels() or []))])
    return [f"{name} goes on at {where}: {memory}"]


def _require_same_frozen(before: Settings, now: Settings) -> None:
    """Refuse to freeze or thaw: the optimizer would hold other parameters than its state."""
    was, wanted = (
        {name: group.params for name, group in run.optimizer.own.groups.items() if group.freeze}
        for run in (before, now)
    )
    if was != wanted:
        rule = f"freezes {wanted or 'nothing'}, and the run began with {was or 'nothing'} frozen"
        raise ConfigError("optimizer.groups", UNSET, rule, "start a new run")


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
        return Tracker(wanted.monitor, wanted.mode, wanted.threshold)
    tracker.threshold = wanted.threshold
    return tracker


def _built(parts: Parts, run: Settings) -> _Built:
    """Build the optimizer of these settings, and its scheduler."""
    optimizer = build_optimizer(run.optimizer, parts.state.model)
    clock = parts.state.clock
    horizon = at_pace(run_horizon(run.trainer, parts.loader.pace), clock)
    evaluations = evaluations_in(horizon, parts.timetable.evaluate)
    past = pasts(run.trainer, parts.loader.pace, clock)
    scheduler = build_scheduler(spec_of(run.scheduler), optimizer, horizon, evaluations, past)
    return _Built(run, horizon.steps, optimizer, scheduler, _values(optimizer))


def _with_groups(saved: Any, old: _Built, new: _Built, ratios: Sequence[float] | None = None) -> Any:
    """An optimizer's state with the new hyperparameters in its groups; what an optimizer counts there itself stays.

    Args:
        saved: the state.
        old, new: tell what a config sets in the groups.
        ratios: scale the current rates by these; None: take those of ``new``.
    """
    groups: list[Values] = saved.get("param_groups", []) if isinstance(saved, Mapping) else []
    if not len(groups) == len(old.first) == len(new.first):
        return saved  # it does not fit: loading it raises
    moved = {*old.scheduler.moves, *new.scheduler.moves, "betas"}
    merged = []
    for i, (group, was, built, now) in enumerate(
        zip(groups, old.first, new.first, _values(new.optimizer), strict=True)
    ):
        left = {name: value for name, value in group.items() if name not in was or name in built}
        set_now = {name: value for name, value in now.items() if name in moved or built[name] != was.get(name)}
        rate = {} if ratios is None else {"lr": group["lr"] * ratios[i]}
        merged.append({**left, **set_now, **rate})
    return {**saved, "param_groups": merged}


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
