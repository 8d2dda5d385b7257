"""Stochastic weight averaging (SWA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lrsched.averages.base import Average, Mean, Table, every
from lrsched.errors import ConfigError
from lrsched.horizon import Duration, Horizon
from lrsched.units import count


@dataclass(frozen=True, kw_only=True)
class Swa(Average):
    """The plain mean of weights from the tail of a run: those at its end, and every so many updates before it.

    θ̄ = (θ_1 + … + θ_n)/n over the n weights that are taken. Made for a schedule whose tail is constant or cycles: where
    the rate falls to 0 the weights hardly move, and their mean is the last ones. Batch norm's statistics are renewed,
    as in the paper.

    Args:
        start: of the tail, a duration from the beginning; what is trained before counts nowhere.
        every: a duration, between two weights that are taken; the length of a cycle where the rate cycles.
        renew: training samples by which batch norm's statistics are renewed.

    Raises:
        ConfigError: ``every`` is 0, or the tail has no update.

    References:
        Izmailov et al., Averaging Weights Leads to Wider Optima, UAI 2018, https://arxiv.org/abs/1803.05407

    >>> Swa(start="50%", every="1st").table(Horizon(steps=4)).tolist()
    [0.0, 0.0, 1.0, 1.0]
    """

    mean: ClassVar[Mean] = Mean.WEIGHTED

    start: Duration = "75%"
    every: Duration = "1ep"
    renew: int = 10_000

    def table(self, horizon: Horizon) -> Table:
        start = horizon.resolve(self.start, "start")
        if start >= horizon.steps:
            rule = f"leaves no tail: the run has {count(horizon.steps, 'update')}"
            raise ConfigError("start", self.start, rule, "75% leaves the last quarter")
        return every(horizon.resolve(self.every, "every", least=1), start, horizon)
