"""The range test of one seed: a ramp of the rate, and the training loss of each update on it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from lrsched.assembly.data import Loaded
from lrsched.assembly.parts import Parts, assemble
from lrsched.compose.leaks import traced
from lrsched.config.settings import Settings, component
from lrsched.config.targets import SCHEDULER
from lrsched.errors import ConfigError, NotFinite, nearest
from lrsched.finder.options import FindConfig
from lrsched.finder.ramps.suggest import FIRST, smoothed
from lrsched.horizon import Horizon
from lrsched.machine.allowance import Allowance
from lrsched.machine.threads import AUTO, chosen
from lrsched.runs.initial import initial_weights
from lrsched.schedulers.base import names_of
from lrsched.schedulers.table import Table
from lrsched.schedules.base import Schedule
from lrsched.schedules.constant import Constant
from lrsched.schedules.phases import Curve, Ints, Part
from lrsched.schedules.shapes import Floats
from lrsched.signals import StopFlag
from lrsched.train.environment import take, with_threads


@dataclass(frozen=True, kw_only=True)
class Ramp(Schedule):
    """A rate that rises from ``low`` towards ``high`` over the run, as a multiple of 1. ::

        exponential: low·(high/low)^(i/n)      linear: low + (high − low)·i/n

    References:
        Smith, Cyclical learning rates for training neural networks, 2017, https://arxiv.org/abs/1506.01186

    >>> Ramp(low=0.01, high=1.0).plan(Horizon(steps=2)).table().tolist()
    [0.01, 0.1]
    """

    low: float
    high: float
    shape: str = "exponential"

    def body(self, steps: int, horizon: Horizon, final: float) -> Sequence[Part]:
        def exponential(i: Ints) -> Floats:
            return self.low * (self.high / self.low) ** (i / steps)

        def linear(i: Ints) -> Floats:
            return self.low + (self.high - self.low) * (i / steps)

        return [Curve(steps, exponential if self.shape == "exponential" else linear, "ramp")]


@dataclass(frozen=True)
class Climb:
    """What one seed's ramp came to.

    Args:
        seed: of the run.
        rates: of each update that was made.
        losses: the training loss before each of them.
        smooth: the exponential mean of the losses.
        unit: of the loss.
        ended: why the ramp ended.
    """

    seed: int
    rates: Floats
    losses: Floats
    smooth: Floats
    unit: str
    ended: str

    @property
    def steps(self) -> int:
        """Updates that were made."""
        return len(self.losses)


def climb(
    run: Settings,
    find: FindConfig,
    ends: tuple[float, float],
    device: torch.device,
    loaded: Mapping[str, Loaded],
    stop: StopFlag,
    allowed: Allowance,
) -> Climb:
    """Make the ramp of one seed, with the updates of a run, from its first weights and batches on.

    Args:
        run: the settings.
        find: how to look.
        ends: the first rate, and the one after the last.
        device: that was prepared for the run.
        loaded: data sets that lie in memory already.
        stop: raised by a signal.
        allowed: the most threads, where the size of the work chooses them, as for a run.

    Raises:
        UserError: the run cannot be built.
        Stopped: by a signal.
    """
    tried = as_tried(run, find)
    begun = initial_weights(run)
    auto = run.threads == AUTO
    with traced(tried), with_threads(1 if auto else None):
        parts = assemble(tried, device, loaded, initial=None if begun is None else begun[0])
    if auto:
        take(chosen(parts.operations_of_a_batch, allowed))
    try:
        rates = _put_on_ramp(parts, tried, find, ends)
        with stop.patient():
            losses, ended = _losses(parts, find, stop)
    finally:
        parts.loader.close()
    smooth = smoothed(losses, find.smooth)
    return Climb(run.seed, rates[: len(losses)], np.array(losses), smooth, parts.units.get("loss", ""), ended)


def as_tried(run: Settings, find: FindConfig) -> Settings:
    """The settings of a run of the ramp's length, in which the rate that is looked for is 1.

    Raises:
        ConfigError: ``find.group`` is no group with a rate.
    """
    tried = copy.copy(run)
    tried.scheduler = component(SCHEDULER, {"_target_": "lrsched.schedules.Constant"}, "scheduler")
    early = replace(run.trainer.early_stop, patience=None)
    tried.trainer = replace(run.trainer, steps=find.steps, early_stop=early, on_nonfinite="stop")
    tried.sweep = replace(run.sweep, until=None)
    optimizer, own = run.optimizer, run.optimizer.own
    if find.group is None:
        tried.optimizer = replace(optimizer, arguments={**optimizer.arguments, "lr": 1.0})
        return tried
    if find.group not in own.groups:
        remedy = nearest(find.group, own.groups) if own.groups else "leave it out: it looks for optimizer.lr then"
        raise ConfigError("find.group", find.group, "there is no such entry of optimizer.groups", remedy)
    group = own.groups[find.group]
    if group.freeze:
        raise ConfigError("find.group", find.group, "the group is frozen: no rate moves it", "name another")
    groups = {**own.groups, find.group: replace(group, lr=1.0, lr_scale=None)}
    tried.optimizer = replace(optimizer, own=replace(own, groups=groups))
    return tried


def _put_on_ramp(parts: Parts, run: Settings, find: FindConfig, ends: tuple[float, float]) -> Floats:
    """Let the groups whose rate is looked for follow the ramp, each by its share; the others stay. Gives the rates."""
    named, optimizer = run.optimizer.own.groups, parts.state.optimizer
    ramp = Ramp(low=ends[0], high=ends[1], shape=find.shape)
    stay, groups = Constant(), dict[str, Schedule]()
    for name in names_of(optimizer.param_groups):
        words = set(name.split("/"))
        rated = any(named[word].lr is not None for word in words & set(named))
        moves = not rated if find.group is None else find.group in words
        groups[name] = ramp if moves else stay
    if ramp not in groups.values():
        rule = "moves no parameter: every group has a rate of its own"
        raise ConfigError("optimizer.lr", run.optimizer.arguments.get("lr"), rule, "give find.group=NAME")
    horizon = Horizon(find.steps)
    parts.state.scheduler = Table(optimizer, replace(ramp, groups=groups), horizon)
    return ramp.plan(horizon).table()


def _losses(parts: Parts, find: FindConfig, stop: StopFlag) -> tuple[list[float], str]:
    """Train until the ramp ends or, after the part that no suggestion looks at, the loss rises; the losses, and why."""
    state, losses, mean, best = parts.state, list[float](), 0.0, np.inf
    while state.step < find.steps:
        stop.check()
        try:
            parts.update(state)
            parts.update.check(state)
        except NotFinite as found:
            return losses, found.what
        losses.append(state.window.mean())
        mean = find.smooth * mean + (1 - find.smooth) * losses[-1]
        now = mean / (1 - find.smooth ** len(losses))
        if len(losses) <= find.steps // FIRST:
            continue  # a first loss may be small by chance
        best = min(best, now)
        if find.stop is not None and now > best + (find.stop - 1) * abs(best):
            return losses, f"the loss rose to {find.stop:g} times its best"
    return losses, "its end"
