"""Warm-up, stable, merge (WSM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lrsched.averages.base import Average, Mean, Table
from lrsched.errors import ConfigError
from lrsched.horizon import Duration, Horizon
from lrsched.schedules.shapes import DECAY_SHAPES, DecayShape, named


@dataclass(frozen=True, kw_only=True)
class Wsm(Average):
    """A merge of weights from the tail of a run with a constant rate, which stands for a decay of the rate.

    Weights θ_0 … θ_k are taken at k + 1 places of the tail, the last at its end. With the decay's factors
    w_j = f(j/(k + 1)), 1 > w_1 > … > w_k > 0, they weigh

        c_0 = 1 − w_1,   c_j = w_j − w_{j+1},   c_k = w_k,

    because Σ c_j·θ_j = θ_0 + Σ_{j≥1} w_j·(θ_j − θ_{j−1}): what was moved between two places counts w_j of it. With SGD
    this is the decay to first order: the gradients are those of the path that did not decay. A linear decay is the
    plain mean.

    Args:
        window: length of the tail, a duration.
        merges: k, the number of moves that are weighed.
        shape: f of the decay: linear, cosine, sqrt, square, mirror_cosine.
        renew: training samples by which batch norm's statistics are renewed.

    Raises:
        ConfigError: ``merges`` is below 1, or the tail has fewer updates; a shape that cannot reach 0.

    References:
        Tian et al., WSM: Decay-Free Learning Rate Schedule via Checkpoint Merging for LLM Pre-training, ICLR 2026,
        https://arxiv.org/abs/2507.17634

    >>> Wsm(window="3st", merges=3, shape="square").table(Horizon(steps=5)).tolist()
    [0.0, 0.0625, 0.1875, 0.3125, 0.4375]
    """

    mean: ClassVar[Mean] = Mean.WEIGHTED

    window: Duration = "20%"
    merges: int = 9
    shape: DecayShape = "linear"
    renew: int = 10_000

    def check(self) -> None:
        if self.merges < 1:
            raise ConfigError("merges", self.merges, "must be at least 1")
        named(self.shape, tuple(name for name in DECAY_SHAPES if name != "exponential"))

    def table(self, horizon: Horizon) -> Table:
        length = horizon.resolve(self.window, "window", least=1)
        if not self.merges <= length < horizon.steps:
            rule = f"is {length} of {horizon.steps} updates: it must have at least the {self.merges} of merges"
            rule += ", and leave one before it"
            raise ConfigError("window", self.window, rule, "give another window, or fewer merges")
        found = np.zeros(horizon.steps)
        moves = np.arange(self.merges + 1)
        places = horizon.steps - 1 - length + (2 * moves * length + self.merges) // (2 * self.merges)
        found[places] = self.weights()
        return found

    def weights(self) -> Table:
        """c_0 … c_k, which add up to 1."""
        shape = named(self.shape, DECAY_SHAPES)
        factors = shape(1.0, 0.0, np.arange(self.merges + 2) / (self.merges + 1))
        return factors[:-1] - factors[1:]
