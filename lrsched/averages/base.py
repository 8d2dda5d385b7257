"""Define Average, the base class of averages of the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon

Table = NDArray[np.float64]
"""A number for each update of a run: float64[steps]."""


class Mean(Enum):
    """What the number c_s of an average's table does with the weights θ after update s."""

    MOVING = "moving"
    """Moves the average: θ̄ ← θ̄ + c_s·(θ − θ̄)."""

    WEIGHTED = "weighted"
    """Weighs them: θ̄ = Σ c_s·θ_s / Σ c_s, over the updates so far."""

    WINDOW = "window"
    """Takes them where it is not 0: θ̄ is the mean of the last :attr:`Average.size` that were taken."""


@dataclass(frozen=True, kw_only=True)
class Average(ABC):
    """An average of the weights over a run, as a table; see :class:`Mean`. Its fields are the parameters.

    Args:
        renew: training samples by which an average of networks with batch norm is given its statistics, before it is
            evaluated; 0: the average of the statistics.
    """

    mean: ClassVar[Mean]

    renew: int = 0

    def __post_init__(self) -> None:
        if self.renew < 0:
            raise ConfigError("renew", self.renew, "must be a number of samples, 0 or more")
        self.check()

    def check(self) -> None:  # noqa: B027  (an average may have nothing to refuse)
        """Refuse values out of their range.

        Raises:
            ConfigError: names the parameter.
        """

    @property
    def size(self) -> int:
        """How many weights a window holds."""
        return 1

    @abstractmethod
    def table(self, horizon: Horizon) -> Table:
        """The number of each update; the first that is not 0 begins the average with the weights as they are.

        Args:
            horizon: of the run.

        Raises:
            ConfigError: a duration that does not fit it.
        """


def every(number: int, after: int, horizon: Horizon) -> Table:
    """1 at the last update and every so many before it, none of them among the first ``after`` updates; else 0.

    >>> every(2, 1, Horizon(steps=5)).tolist()
    [0.0, 0.0, 1.0, 0.0, 1.0]
    """
    done = np.arange(1, horizon.steps + 1)
    taken = (horizon.steps - done) % number == 0
    return np.where(taken & ((done > after) | (done == horizon.steps)), 1.0, 0.0)
