"""Make samples of a noisy quadratic, the problem whose expected loss is known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrsched.data.data import Data
from lrsched.data.quadratic import Quadratic
from lrsched.data.source import Source
from lrsched.errors import ConfigError
from lrsched.seeds import key


@dataclass(frozen=True, kw_only=True)
class NoisyQuadratic(Source):
    """Samples of :class:`lrsched.data.quadratic.Quadratic`, which says what SGD comes to on them under any schedule.

    ::

        x_k = √(2·λ_k)·(b − b')      y = x·w* + noise·ε      b, b' are 0 or 1, ε is ±1

    so that E x_k² = λ_k and E x_k⁴ = 2·λ_k². Ask ``task=quadratic`` of it, with ``model=quadratic``, which starts at 0.
    The samples must be fresh: train for at most one epoch. Has a test part of one sample, which is never looked at:
    the task measures the weights.

    Args:
        regime: easy (β = 1.5, s = 1), steep (β = 2, s = 1) or hard (β = 2, s = 0.3: the best rate is the largest stable
            one).
        beta, s: instead of those of the regime.
        features: numbers in an input.
        samples: in all, those of the validation part included.
        noise: standard deviation of the label noise.
        seed: of the samples; give it that of the run for an average over runs.

    Raises:
        ConfigError: a value out of its range.
    """

    regime: str = "easy"
    beta: float | None = None
    s: float | None = None
    features: int = 300
    samples: int = 8100
    noise: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _ = self.problem
        if not 2 <= self.samples <= 10_000_000:
            raise ConfigError("samples", self.samples, "must be a whole number from 2 to 10000000")
        if self.seed < 0:
            raise ConfigError("seed", self.seed, "must be a whole number of at least 0")

    @property
    def problem(self) -> Quadratic:
        """What the samples are of."""
        return Quadratic.of(self.regime, beta=self.beta, s=self.s, features=self.features, noise=self.noise)

    def load(self) -> Data:
        """x float32 [samples, features], y float32 [samples]; the facts ``spectrum`` and ``solution``."""
        problem = self.problem
        spectrum, solution = (torch.from_numpy(each) for each in (problem.spectrum, problem.start**0.5))
        bits = self._draw("inputs", (2, self.samples, self.features))
        x = (bits[0] - bits[1]) * (2 * spectrum).sqrt()
        y = x @ solution + self.noise * (2 * self._draw("noise", (self.samples,)) - 1)
        part = x.float(), y.float()
        facts = {"spectrum": tuple(spectrum.tolist()), "solution": tuple(solution.tolist())}
        return Data(part, tuple(column[:1] for column in part), facts=facts)

    def _draw(self, purpose: str, shape: tuple[int, ...]) -> Tensor:
        """Draw bits, as int8."""
        generator = torch.Generator().manual_seed(key(self.seed, f"noisy_quadratic/{purpose}"))
        return torch.randint(0, 2, shape, generator=generator, dtype=torch.int8)
