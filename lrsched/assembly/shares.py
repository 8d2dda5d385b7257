"""The share that each parameter group has of ``optimizer.lr``, kept under PyTorch's classes.

Most of them multiply, and keep it by themselves. Some set rates that they are given as absolute numbers, the same for
every group; here each group gets its share of those. A list names the rate of each group itself, and stays.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    OneCycleLR,
    ReduceLROnPlateau,
)
from torch.optim.swa_utils import SWALR

from lrsched.errors import ConfigError
from lrsched.schedulers.floors import with_eps, with_floors

ABSOLUTE: Mapping[type, tuple[str, ...]] = {
    OneCycleLR: ("max_lr",),
    CyclicLR: ("base_lr", "max_lr"),
    ReduceLROnPlateau: ("min_lr",),
}
"""Arguments that are rates, and may be one number for each group."""

COSINES = (CosineAnnealingLR, CosineAnnealingWarmRestarts)

TRIED = 1000
"""Steps for which a class that is not PyTorch's is watched."""


def shares_of(optimizer: Optimizer) -> list[float] | None:
    """What each group has of ``optimizer.lr``, as a factor; None where all have the whole of it.

    The factor is infinite where ``optimizer.lr`` is 0 and the group's rate is not.
    """
    base = float(optimizer.defaults["lr"])
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if all(rate == base for rate in rates):
        return None
    return [1.0 if rate == base else rate / base if base else math.inf for rate in rates]


def shared_out(cls: type, arguments: Mapping[str, Any], shares: Sequence[float]) -> tuple[type, dict[str, Any]]:
    """A class and its arguments, with a rate for each group in the place of one for all.

    Args:
        cls: of PyTorch's, or derived from one.
        arguments: checked.
        shares: of the groups.

    Raises:
        ConfigError: ``optimizer.lr`` is 0, and a share of it is asked for.
    """
    shared = dict(arguments)
    for kind, names in ABSOLUTE.items():
        for name in names if issubclass(cls, kind) else ():
            if isinstance(shared.get(name), (int, float)):
                shared[name] = _parts(shared[name], shares)
    floor = shared.get("eta_min", 0.0)
    if issubclass(cls, COSINES) and floor:
        cls = with_floors(cls, _parts(floor, shares))
    if issubclass(cls, ReduceLROnPlateau):
        eps = shared.get("eps", 1e-8)
        cls = with_eps(cls, [eps if share == math.inf else share * eps for share in shares])
    return cls, shared


def _parts(rate: float, shares: Sequence[float]) -> list[float]:
    """What each group has of a rate."""
    if rate and math.inf in shares:
        rule = "a group has a rate of its own, and its share of 0 is not known"
        raise ConfigError("optimizer.lr", 0.0, rule, "give optimizer.lr, and lr: 0.0 to the groups that are frozen")
    return [share * rate if rate else 0.0 for share in shares]


def share_averaging_rate(scheduler: Any, shares: Sequence[float]) -> None:
    """Give each group its share of ``swa_lr``, which is none of the groups' rates before the first step."""
    if isinstance(scheduler, SWALR):
        groups = scheduler.optimizer.param_groups
        for group, rate in zip(groups, _parts(groups[0]["swa_lr"], shares), strict=True):
            group["swa_lr"] = rate


def stand_in(optimizer: Optimizer, rate: float | None = None) -> Optimizer:
    """An optimizer that a scheduler may drive while nothing is trained.

    Args:
        optimizer: whose groups it has, and which stays as it is.
        rate: of every group; None: its own.
    """
    other = copy(optimizer)
    other.param_groups = [{**group, **({} if rate is None else {"lr": rate})} for group in optimizer.param_groups]
    setattr(other, "_opt_called", True)  # noqa: B010  (PyTorch warns where no update came before)
    return other


def refuse_lost_shares(
    key: str,
    build: Callable[[Optimizer, Sequence[float] | None], Any],
    optimizer: Optimizer,
    shares: Sequence[float],
    calls: int,
) -> None:
    """Refuse a class that is not PyTorch's and sets groups of unequal rates to rates of other shares.

    Args:
        key: of the scheduler.
        build: makes one on an optimizer, for groups with these shares.
        optimizer: of the run.
        shares: of its groups.
        calls: how often the run steps it.

    Raises:
        ConfigError: the rates that it sets are not the shares of those that it would set at ``optimizer.lr``.
    """
    if math.inf in shares:
        return
    own, whole = stand_in(optimizer), stand_in(optimizer, float(optimizer.defaults["lr"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = build(own, shares), build(whole, None)
        for t in range(min(calls, TRIED) + 1):
            for mine, theirs, share in zip(own.param_groups, whole.param_groups, shares, strict=True):
                if not math.isclose(float(mine["lr"]), share * float(theirs["lr"]), rel_tol=1e-9, abs_tol=1e-300):
                    name = type(both[0]).__name__
                    rule = f"sets a group of {share:.3g} times optimizer.lr to {float(mine['lr']):.3g} at t={t}, where "
                    rule += f"its share is {share * float(theirs['lr']):.3g}: its own rate is lost"
                    remedy = "let every group have optimizer.lr, or let the class multiply base_lrs"
                    raise ConfigError(key, name, rule, remedy)
            try:
                for scheduler in both:
                    scheduler.step()
            except Exception:
                return  # it needs what only a run has
