"""Latest weight averaging (LAWA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lrsched.averages.base import Average, Mean, Table, every
from lrsched.errors import ConfigError
from lrsched.horizon import Duration, Horizon


@dataclass(frozen=True, kw_only=True)
class Lawa(Average):
    """The mean of the latest weights: ``last`` of them, taken every so many updates. Holds them all in memory.

    θ̄ = (θ_1 + … + θ_k)/k over the k ≤ ``last`` latest that were taken.

    Args:
        last: how many.
        every: a duration, between two weights that are taken.
        renew: training samples by which batch norm's statistics are renewed.

    Raises:
        ConfigError: ``last`` is below 1, or ``every`` is 0.

    References:
        Kaddour, Stop Wasting My Time! Saving Days of ImageNet and BERT Training with Latest Weight Averaging, 2022,
        https://arxiv.org/abs/2209.14981
        Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, NeurIPS 2024,
        https://arxiv.org/abs/2405.18392

    >>> Lawa(every="2st").table(Horizon(steps=5)).tolist()
    [1.0, 0.0, 1.0, 0.0, 1.0]
    """

    mean: ClassVar[Mean] = Mean.WINDOW

    last: int = 5
    every: Duration = "1ep"
    renew: int = 10_000

    def check(self) -> None:
        if self.last < 1:
            raise ConfigError("last", self.last, "must be at least 1")

    @property
    def size(self) -> int:
        return self.last

    def table(self, horizon: Horizon) -> Table:
        return every(horizon.resolve(self.every, "every", least=1), 0, horizon)
