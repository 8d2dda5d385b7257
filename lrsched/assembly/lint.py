"""Lint, before the first step: what this run's scheduler will do that may not be meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrsched.assembly.native import closed_loops
from lrsched.assembly.scheduler import LENGTHS
from lrsched.config.targets import SCHEDULER, build, resolve
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers import Plateau
from lrsched.schedules import Schedule, Sequence
from lrsched.schedules.lint import cautions


def lint(node: Mapping[str, Any], horizon: Horizon, lengths: Mapping[str, int], rates: set[float]) -> list[str]:
    """Warnings about a config's ``scheduler``, each with its key and its consequence.

    Args:
        node: the config's ``scheduler``.
        horizon: the run.
        lengths: the run's length by interval (epoch, step, evaluation).
        rates: base rates of the parameter groups.

    Raises:
        ConfigError: what would end the run with an error of PyTorch's own.
    """
    cls = resolve(SCHEDULER, str(node["_target_"]), "scheduler")
    if issubclass(cls, Sequence) and closed_loops(node):
        return []  # what it will do is not known beforehand
    if issubclass(cls, Schedule):
        schedule = build(SCHEDULER, node, "scheduler")
        return [
            f"scheduler: {said}"
            for said in dict.fromkeys(c for r in sorted(rates) for c in cautions(schedule, horizon, r))
        ]
    if issubclass(cls, Plateau):
        patience, looks = node.get("patience", 10), lengths["evaluation"]
        if patience + 2 > looks:
            return [f"scheduler.patience={patience}: the run has {looks} evaluations, so the rate is never cut"]
        return []
    interval = str(node.get("interval", "epoch"))
    found = _of_class(cls.__name__, node, lengths[interval])
    return found + (_of_unit(node, lengths) if interval == "step" else [])


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
    if name == "OneCycleLR" and "total_steps" in value:
        found += _onecycle(value["total_steps"], n)
    if name in ("LinearLR", "PolynomialLR") and value.get("total_iters", 0) > n:
        total = value["total_iters"]
        found.append(f"scheduler.total_iters={total}: the run ends at {n}, after {n / total:.0%} of the way")
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


def _onecycle(total: int, n: int) -> list[str]:
    if total < n - 1:
        raise ConfigError(
            "scheduler.total_steps",
            total,
            f"PyTorch's OneCycleLR ends with an error there, and the run has {n}",
            "give auto",
        )
    if total < n:
        return [f"scheduler.total_steps={total}: the run has {n}, and OneCycleLR rebounds at its end"]
    if total > n:
        return [f"scheduler.total_steps={total}: the run ends at {n}, in the middle of the cycle"]
    return []


def _of_unit(node: Mapping[str, Any], lengths: Mapping[str, int]) -> list[str]:
    """A length that looks like epochs under a class that steps with every update."""
    epochs, steps = lengths["epoch"], lengths["step"]
    return [
        f"scheduler.{key}={node[key]}: at interval step these are updates, {node[key] / steps:.1%} of the run; "
        "if epochs are meant, give scheduler.interval=epoch"
        for key in LENGTHS
        if key != "T_mult" and isinstance(node.get(key), int) and 1 < node[key] <= epochs < steps
    ]
