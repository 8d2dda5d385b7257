"""Lint, before the first step: what this run's scheduler will do that may not be meant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lrsched.assembly.extend import Past, stepped
from lrsched.assembly.horizon import lengths
from lrsched.assembly.kinds import LENGTHS, ClosedLoopSpec, HandoverSpec, NativeSpec, OpenLoopSpec, SchedulerSpec
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules.lint import cautions


def lint(
    spec: SchedulerSpec, horizon: Horizon, evaluations: int, rates: set[float], past: Sequence[Past] = ()
) -> list[str]:
    """Warnings about a config's ``scheduler``, each with its key and its consequence.

    Args:
        spec: what it is.
        horizon: the run.
        evaluations: how many the run has.
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
            return _of_closed_loop(node.cls, node.arguments, evaluations)
        case NativeSpec(node):
            from torch.optim.lr_scheduler import ReduceLROnPlateau

            live = stepped(past, horizon)
            counted = evaluations if live.steps == horizon.steps else past[0].evaluations
            length, interval = lengths(live, counted), node.own.interval
            total = length[interval]
            if issubclass(node.cls, ReduceLROnPlateau):
                _refuse_blind(interval, live, counted)
                return _of_patience(node.arguments, counted if interval == "evaluation" else min(counted, total))
            found = _of_class(node.cls.__name__, node.arguments, total)
            return found + (_of_unit(node.arguments, length) if interval == "step" else [])


def _of_closed_loop(cls: type, node: Mapping[str, Any], evaluations: int) -> list[str]:
    from lrsched.schedulers.plateau import Plateau  # imports torch

    return _of_patience(node, evaluations) if issubclass(cls, Plateau) else []


def _refuse_blind(interval: str, run: Horizon, evaluations: int) -> None:
    """Refuse a plateau that steps at the end of epochs, in a run without a metric at any of them."""
    if (
        interval == "epoch"
        and run.steps % run.steps_per_epoch
        and (evaluations == 1 or run.steps < run.steps_per_epoch)
    ):
        rule = "steps at the end of an epoch on the newest metric since its last step, and this run never has one there"
        raise ConfigError("scheduler.interval", interval, rule, "use interval=evaluation, or evaluate more often")


def _of_patience(node: Mapping[str, Any], evaluations: int) -> list[str]:
    """A plateau that waits for longer than it will see metrics."""
    patience = node.get("patience", 10)
    if patience + 2 > evaluations:
        return [f"scheduler.patience={patience}: the run has {evaluations} evaluations, so the rate is never cut"]
    return []


def _of_class(name: str, node: Mapping[str, Any], n: int) -> list[str]:
    """What PyTorch's classes do in a run that is n of their intervals long (t = 0 … n − 1)."""
    late = [m for m in node.get("milestones", []) if isinstance(m, int) and m >= n]
    found = [f"scheduler.milestones: {m} is never reached, the run ends at {n}" for m in late]
    value = {key: node[key] for key in LENGTHS if isinstance(node.get(key), int)}
    if value.get("step_size", 0) >= n:
        found.append(f"scheduler.step_size={value['step_size']}: the rate is never cut, the run ends at {n}")
    if name == "CosineAnnealingLR" and "T_max" in value:
        found += _cosine(value["T_max"], n)
    if name == "CosineAnnealingWarmRestarts" and "T_0" in value:
        found += _restarts(value["T_0"], value.get("T_mult", 1), n)
    if name == "OneCycleLR":
        found += _onecycle(value, n)
    if name in ("LinearLR", "PolynomialLR") and value.get("total_iters", 0) > n:
        total = value["total_iters"]
        found.append(f"scheduler.total_iters={total}: the run ends at {n}, after {n / total:.0%} of the way")
    if name == "ConstantLR" and value.get("total_iters", 0) >= n:
        found.append(f"scheduler.total_iters={value['total_iters']}: the rate stays reduced, the run ends at {n}")
    if name == "SWALR" and value.get("anneal_epochs", 0) > n:
        found.append(f"scheduler.anneal_epochs={value['anneal_epochs']}: the run ends at {n}, on the way to swa_lr")
    if name == "CyclicLR" and value.get("step_size_up", 0) >= n:
        found.append(f"scheduler.step_size_up={value['step_size_up']}: the run ends at {n}, before the first peak")
    return found


def _cosine(t_max: int, n: int) -> list[str]:
    end = (1 + math.cos(math.pi * (n - 1) / t_max)) / 2
    if n - 1 > t_max:
        return [
            f"scheduler.T_max={t_max}: the rate rises again after it, and ends the run at {end:.3g} of the base rate"
        ]
    if n < t_max:
        return [f"scheduler.T_max={t_max}: the run ends at {n}, still at {end:.3g} of the base rate"]
    return []


def _restarts(first: int, mult: int, n: int) -> list[str]:
    length, left = first, n
    while left >= length:
        left -= length
        length *= mult
    if left == 0:
        return []
    end = (1 + math.cos(math.pi * (left - 1) / length)) / 2
    return [
        f"scheduler.T_0={first}: the run ends in mid-cycle, after {left} of {length}, at {end:.3g} of the base rate"
    ]


def _onecycle(value: Mapping[str, int], n: int) -> list[str]:
    """The length in either form; one that PyTorch would end with an error was refused before."""
    if "total_steps" in value:
        total, key = value["total_steps"], f"total_steps={value['total_steps']}"
    elif "epochs" in value and "steps_per_epoch" in value:
        total = value["epochs"] * value["steps_per_epoch"]
        key = f"epochs={value['epochs']}: with steps_per_epoch={value['steps_per_epoch']} these are {total} steps"
    else:
        return []
    if total < n:
        return [f"scheduler.{key}: the run has {n}, and OneCycleLR rebounds at its end"]
    if total > n:
        return [f"scheduler.{key}: the run ends at {n}, in the middle of the cycle"]
    return []


def _of_unit(node: Mapping[str, Any], lengths: Mapping[str, int]) -> list[str]:
    """A length that looks like epochs under a class that steps with every update."""
    epochs, steps = lengths["epoch"], lengths["step"]
    return [
        f"scheduler.{key}={node[key]}: at interval step these are updates, {node[key] / steps:.1%} of the run; "
        "if epochs are meant, give scheduler.interval=epoch"
        for key in LENGTHS
        if key not in ("T_mult", "epochs", "steps_per_epoch")
        and isinstance(node.get(key), int)
        and 1 < node[key] <= epochs < steps
    ]
