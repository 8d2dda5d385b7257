"""Lint, before the first step: what this run's scheduler will do that may not be meant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lrsched.assembly.extend import Past, stepped
from lrsched.assembly.horizon import evaluated_epochs, evaluations_in, lengths
from lrsched.assembly.kinds import LENGTHS, ClosedLoopSpec, HandoverSpec, NativeSpec, OpenLoopSpec, SchedulerSpec
from lrsched.config.component import Component
from lrsched.config.schema import EarlyStop
from lrsched.config.settings import Settings
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules.lint import cautions
from lrsched.schedules.shapes import Floats
from lrsched.units import count

if TYPE_CHECKING:
    from lrsched.train.averaging import Averaged

LOW = 0.01
"""The share of its highest rate below which a run learns next to nothing."""


FRESH = frozenset({"lrsched.data.NoisyQuadratic"})
"""Data sets whose samples say what they are made for only once: their loss is known for fresh ones."""


def lint_fresh(run: Settings, horizon: Horizon) -> list[str]:
    """A warning where samples that must be fresh come again."""
    if run.dataset.target not in FRESH or horizon.steps <= horizon.steps_per_epoch:
        return []
    epochs = horizon.steps / horizon.steps_per_epoch
    return [
        f"dataset.samples: the run trains {epochs:.2f} epochs, and from the second one on the same noise comes again: "
        "the expected loss that is known exactly is that of fresh samples; give more of them, or fewer trainer.steps"
    ]


def lint(spec: SchedulerSpec, horizon: Horizon, every: int, rates: set[float], past: Sequence[Past] = ()) -> list[str]:
    """Warnings about a config's ``scheduler``, each with its key and its consequence.

    Args:
        spec: what it is.
        horizon: the run.
        every: steps between two evaluations.
        rates: base rates of the parameter groups.
        past: lengths that it was planned for before, oldest first.

    Raises:
        ConfigError: a plateau that can never see a metric.
    """
    match spec:
        case OpenLoopSpec():
            found = [caution for rate in sorted(rates) for caution in cautions(spec.schedule, horizon, rate)]
            return [f"scheduler: {caution}" for caution in dict.fromkeys(found)]
        case HandoverSpec():
            return []  # what it will do is not known beforehand
        case ClosedLoopSpec(node):
            return _of_closed_loop(node.cls, node.arguments, evaluations_in(horizon, every))
        case NativeSpec(node):
            from torch.optim.lr_scheduler import ReduceLROnPlateau

            interval, evaluations = node.own.interval, evaluations_in(horizon, every)
            if issubclass(node.cls, ReduceLROnPlateau):
                seen = evaluated_epochs(horizon, every) if interval == "epoch" else evaluations
                _refuse_blind(interval, seen)
                return _of_patience(node.arguments, seen)
            live = stepped(past, horizon)
            counted = evaluations if live.steps == horizon.steps else past[0].evaluations
            return _of_native(node, live, counted)


def lint_early_stop(stop: EarlyStop, start: int, steps: int, every: int) -> list[str]:
    """Warn of an ``early_stop.start`` that leaves too few evaluations to end the run.

    Args:
        stop: the settings.
        start: the same, as a step.
        steps: of the run.
        every: between two evaluations.
    """
    left = max(0, (steps - 1) // every - max(0, start - 1) // every)  # the first of them is the best so far
    if stop.patience is None or not start or left > stop.patience:
        return []
    lie = f"{count(left, 'evaluation')} {'lies' if left == 1 else 'lie'} between it and the end of the run"
    return [f"trainer.early_stop.start={stop.start}: {lie}, so patience={stop.patience} never ends it early"]


def lint_rest(spec: SchedulerSpec, rate: Floats, past: Sequence[Past]) -> list[str]:
    """Warn of a longer run whose further steps train at next to nothing: its schedule had come down before.

    Args:
        spec: what the scheduler is.
        rate: float64[steps], of the whole run.
        past: lengths that it was planned for before, oldest first.
    """
    if not past or past[-1].policy in ("stretch", "restart"):
        return []
    last = past[-1]
    rest = rate[max(last.at, last.planned.steps) if last.policy == "keep" else last.at :]
    if not len(rest) or rest.max() > LOW * rate.max():
        return []
    share = f"{rest.max() / rate.max():.2g} of its highest rate" if rate.max() else "where it has no rate at all"
    remedy = "stretch plans it for the new length, restart begins it anew"
    if not isinstance(spec, OpenLoopSpec):
        remedy = "a schedule of ours can go on, by checkpoint.allow_change=[scheduler]"
    return [
        f"trainer.on_extend={last.policy}: the last {count(len(rest), 'step')} of the run train at {rest.max():.3g} or "
        f"less, {share}, for the schedule had come down; {remedy}"
    ]


def _of_closed_loop(cls: type, node: Mapping[str, Any], evaluations: int) -> list[str]:
    from lrsched.schedulers.plateau import Plateau  # imports torch

    return _of_patience(node, evaluations) if issubclass(cls, Plateau) else []


def _refuse_blind(interval: str, seen: int) -> None:
    """Refuse a plateau that sees no metric in the whole run."""
    if not seen:
        rule = "steps at the end of an epoch on the newest metric since its last step, and this run never has one there"
        raise ConfigError("scheduler.interval", interval, rule, "use interval=evaluation, or evaluate more often")


def _of_patience(node: Mapping[str, Any], evaluations: int) -> list[str]:
    """A plateau that waits for longer than it will see metrics."""
    patience = node.get("patience", 10)
    if patience + 2 > evaluations:
        return [
            f"scheduler.patience={patience}: the run has {count(evaluations, 'evaluation')}, so the rate is never cut"
        ]
    return []


def _of_native(node: Component[Any], run: Horizon, evaluations: int) -> list[str]:
    """What one of PyTorch's classes does in a run, and each class inside it in its part of the run."""
    from lrsched.assembly.native import COMPOSITES, children, span_of, with_lengths  # imports torch

    length, interval = lengths(run, evaluations), node.own.interval
    parts, found = [(node, span_of(run, evaluations, interval), "the run")], []
    for part, span, place in parts:
        inside = children(part, span)
        parts += [(child, inner, "its part") for child, inner in inside]
        cautions = _of_class(part.cls.__name__, part.arguments, span.length, place)
        if part.cls.__name__ == "SequentialLR" and issubclass(inside[0][0].cls, COMPOSITES):
            name = inside[0][0].cls.__name__
            cautions.append(f"schedulers[0]: PyTorch's SequentialLR leaves out the first value of a {name} inside it")
        if part.cls.__name__ == "OneCycleLR":
            cautions += _onecycle(part.arguments, with_lengths(part, span), span.length, place)
        if interval == "step":
            cautions += _of_unit(part.arguments, length)
        found += [f"{part.key}.{caution}" for caution in cautions]
    return found


def _of_class(name: str, node: Mapping[str, Any], n: int, place: str) -> list[str]:
    """What PyTorch's classes do in a run, or a part of it, that is n of their intervals long (t = 0 … n − 1)."""
    late = [m for m in node.get("milestones", []) if isinstance(m, int) and m >= n]
    found = [f"milestones: {m} is never reached, {place} ends at {n}" for m in late]
    value = {key: node[key] for key in LENGTHS if isinstance(node.get(key), int)}
    if value.get("step_size", 0) >= n:
        found.append(f"step_size={value['step_size']}: the rate is never cut, {place} ends at {n}")
    if name == "CosineAnnealingLR" and "T_max" in value:
        found += _cosine(value["T_max"], n, place)
    if name == "CosineAnnealingWarmRestarts" and "T_0" in value:
        found += _restarts(value["T_0"], value.get("T_mult", 1), n, place)
    if name in ("LinearLR", "PolynomialLR") and value.get("total_iters", 0) > n:
        total = value["total_iters"]
        found.append(f"total_iters={total}: {place} ends at {n}, after {n / total:.0%} of the way")
    if name == "ConstantLR" and value.get("total_iters", 0) >= n:
        found.append(f"total_iters={value['total_iters']}: the rate stays reduced, {place} ends at {n}")
    if name == "SWALR" and value.get("anneal_epochs", 0) > n:
        found.append(f"anneal_epochs={value['anneal_epochs']}: {place} ends at {n}, on the way to swa_lr")
    if name == "CyclicLR" and type(node.get("step_size_up", 2000)) is int:
        found += _cyclic(node.get("step_size_up", 2000), node.get("step_size_down"), n, place)
    return found


def _cosine(t_max: int, n: int, place: str) -> list[str]:
    end = (1 + math.cos(math.pi * (n - 1) / t_max)) / 2
    if n - 1 > t_max:
        return [f"T_max={t_max}: the rate rises again after it, and ends {place} at {end:.3g} of the base rate"]
    if n < t_max:
        return [f"T_max={t_max}: {place} ends at {n}, still at {end:.3g} of the base rate"]
    return []


def _restarts(first: int, mult: int, n: int, place: str) -> list[str]:
    length, left = first, n
    while left >= length:
        left -= length
        length *= mult
    if left == 0:
        return []
    end = (1 + math.cos(math.pi * (left - 1) / length)) / 2
    return [f"T_0={first}: {place} ends in mid-cycle, after {left} of {length}, at {end:.3g} of the base rate"]


def _cyclic(up: int, down: int | None, n: int, place: str) -> list[str]:
    if up >= n:
        return [f"step_size_up={up}: {place} ends at {n}, before the first peak"]
    whole = up + (up if type(down) is not int else down)
    left = n % whole
    if left in (0, 1):  # a cycle's end is the first step of the next
        return []
    fits = f"{place} ends in mid-cycle, after {left} of {whole}"
    return [f"step_size_up={up}: {fits}; ours takes a share of the run: scheduler=cyclic scheduler.up=10%"]


def _onecycle(given: Mapping[str, Any], counted: Mapping[str, Any], n: int, place: str) -> list[str]:
    """The length in either form; one that PyTorch would end with an error was refused before.

    Args:
        given: the arguments.
        counted: the same, with a number for each ``auto``.
        n: steps of the run, or of the part of it.
        place: which of the two.
    """
    total, epochs, an_epoch = (counted.get(name) for name in ("total_steps", "epochs", "steps_per_epoch"))
    found, key = [], f"total_steps={total}"
    if total is None and isinstance(epochs, int) and isinstance(an_epoch, int):
        total = epochs * an_epoch
        key = f"epochs={epochs}: with steps_per_epoch={an_epoch} these are {count(total, 'step')}"
    elif total is not None:
        ignored = f"OneCycleLR ignores it beside total_steps={given['total_steps']}; give total_steps=null for it"
        idle = [name for name in ("epochs", "steps_per_epoch") if given.get(name) is not None]
        found = [f"{name}={given[name]}: {ignored}" for name in idle if given.get("total_steps") is not None]
    if not isinstance(total, int):
        return found
    if total < n:
        found.append(f"{key}: {place} has {n}, and OneCycleLR rebounds at its end")
    if total > n:
        found.append(f"{key}: {place} ends at {n}, in the middle of the cycle")
    return found


def _of_unit(node: Mapping[str, Any], lengths: Mapping[str, int]) -> list[str]:
    """A length that looks like epochs under a class that steps with every update."""
    epochs, steps = lengths["epoch"], lengths["step"]
    return [
        f"{key}={node[key]}: at interval step these are updates, {node[key] / steps:.1%} of the run; "
        "if epochs are meant, give scheduler.interval=epoch"
        for key in LENGTHS
        if key not in ("T_mult", "epochs", "steps_per_epoch")
        and isinstance(node.get(key), int)
        and 1 < node[key] <= epochs < steps
    ]


def lint_average(average: Averaged | None) -> list[str]:
    """Warn of an average that takes the weights but once."""
    if average is None or average.takes > 1:
        return []
    return ["average: takes the weights once, at the run's end, and is the last weights; give a shorter average.every"]
