"""Schedules multiplied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules.base import Schedule
from lrsched.schedules.checks import below, require
from lrsched.schedules.nested import require_schedule
from lrsched.schedules.phases import Curve, Ints, Part, Plan, floored
from lrsched.schedules.shapes import Floats


@dataclass(frozen=True, kw_only=True)
class Product(Schedule):
    """The product of its factors at every step: v(t) = Π_j v_j(t).

    Its phases are the common refinement of the factors' phases: a boundary of one is a boundary of
    the product. Every factor lasts as long as the product.

    Args:
        factors: schedules.
        final: the product is never below it. A factor's own ``final`` is a floor of that factor alone.

    Raises:
        ConfigError: a factor is no schedule, or two of them move the same other value (momentum).

    References:
        Trax, https://github.com/google/trax: ``constant * linear_warmup * rsqrt_decay``

    >>> from lrsched.schedules import Linear, Step
    >>> Product(factors=[Linear(), Step(every="2st", gamma=0.5)]).plan(Horizon(steps=4)).table().tolist()
    [1.0, 0.75, 0.25, 0.125]
    """

    factors: Sequence[Schedule]

    def check(self) -> None:
        given = isinstance(self.factors, tuple) and len(self.factors) > 0
        require(given, "factors", self.factors, "must be a list of schedules", "as in [{_target_: …}, …]")
        for j, factor in enumerate(self.factors):
            require_schedule(f"factors[{j}]", factor)

    def phases(self, steps: int, horizon: Horizon, peak: float) -> Sequence[Part]:
        plans: list[Plan] = []
        for j, factor in enumerate(self.factors):
            with below(f"factors[{j}]"):
                plans.append(factor.plan(horizon.part(steps), peak))
        bounds = sorted({steps}.union(*(plan.starts.tolist() for plan in plans)))
        return [floored(_tile(plans, start, end), self._floor(peak)) for start, end in pairwise(bounds)]

    def companions(self, steps: int, horizon: Horizon) -> Mapping[str, Sequence[Part]]:
        columns: dict[str, Sequence[Part]] = {}
        for j, factor in enumerate(self.factors):
            for name, plan in factor.companion_plans(horizon.part(steps)).items():
                rule = f"moves {name}, as a factor before it does: which of them is in force?"
                require(name not in columns, f"factors[{j}]", type(factor).__name__, rule, f"give it {name}=null")
                columns[name] = plan.parts
        return columns


def _tile(plans: Sequence[Plan], start: int, end: int) -> Curve:
    """The steps from ``start`` to ``end``, which lie in one part of each plan."""
    which = [int(np.searchsorted(plan.starts, start, side="right")) - 1 for plan in plans]
    parts = [plan.parts[j] for plan, j in zip(plans, which, strict=True)]
    before = [start - int(plan.starts[j]) for plan, j in zip(plans, which, strict=True)]

    def value(i: Ints) -> Floats:
        return reduce(np.multiply, [part.at(i + skip) for part, skip in zip(parts, before, strict=True)])

    return Curve(end - start, value, " × ".join(part.name for part in parts))
