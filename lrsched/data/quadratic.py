"""A noisy quadratic whose expected loss is known exactly, under any schedule. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import ConfigError, nearest

Floats = NDArray[np.float64]

REGIMES = {"easy": (1.5, 1.0), "steep": (2.0, 1.0), "hard": (2.0, 0.3)}
"""β and s of the three that are known by name."""


class Expected(NamedTuple):
    """What SGD comes to, on the average over all data and their order.

    Args:
        loss: ½·Σ λ_k·p_k before each update and after the last one, float64[steps + 1, …].
        mean: E[w − w*] after the last update, float64[…, features].
        second: p = E[(w − w*)²] after the last update, float64[…, features].
    """

    loss: Floats
    mean: Floats
    second: Floats


@dataclass(frozen=True, kw_only=True)
class Quadratic:
    """Least squares on inputs of a power-law spectrum: y = x·w* + noise·ε, Cov x = diag λ, from w = 0. ::

        λ_k = k^(−β)      w*_k² = k^(−(s·β + 1)) / λ_k      k = 1…features

    It is easy if s ≥ 1 − 1/β, and hard below: then the largest stable rate is the best one.

    Args:
        beta: β, how fast the spectrum falls; above 0.
        s: how fast the solution does; above 0.
        features: numbers in an input.
        noise: standard deviation of the label noise, σ.

    Raises:
        ConfigError: a value out of its range.

    References:
        Bordelon, Mori, 2026, https://arxiv.org/abs/2602.04774; Li et al., COLT 2026, https://arxiv.org/abs/2602.06797

    >>> easy = Quadratic.of("easy", features=400)
    >>> round(float(easy.start @ easy.spectrum / 2), 9), round(easy.largest(batch=4), 9)
    (0.67070204, 0.61420932)
    """

    beta: float
    s: float
    features: int = 300
    noise: float = 1.0

    def __post_init__(self) -> None:
        for name in ("beta", "s"):
            if not 0 < getattr(self, name) <= 10:
                raise ConfigError(name, getattr(self, name), "must be a number above 0, and at most 10")
        if not 1 <= self.features <= 100_000:
            raise ConfigError("features", self.features, "must be a whole number from 1 to 100000")
        if not 0 <= self.noise <= 1000:
            raise ConfigError("noise", self.noise, "must be a number of at least 0, and at most 1000")

    @classmethod
    def of(cls, regime: str, **values: Any) -> Quadratic:
        """One of the regimes that have a name; values that are given count instead of its own."""
        if regime not in REGIMES:
            raise ConfigError("regime", regime, f"must be one of {', '.join(REGIMES)}", nearest(regime, REGIMES))
        beta, s = REGIMES[regime]
        return cls(**{"beta": beta, "s": s, **{name: value for name, value in values.items() if value is not None}})

    @property
    def spectrum(self) -> Floats:
        """λ, float64[features]."""
        return np.arange(1, self.features + 1, dtype=np.float64) ** -self.beta

    @property
    def start(self) -> Floats:
        """p at w = 0: the squares of the solution, float64[features]."""
        return np.arange(1, self.features + 1, dtype=np.float64) ** -(self.s * self.beta + 1) / self.spectrum

    def largest(self, batch: int) -> float:
        """The rate 1/(Σλ/batch + 1), up to which SGD is stable."""
        return float(1 / (self.spectrum.sum() / batch + 1))

    def expected(self, rates: Floats, batch: int, momentum: float | Floats = 0.0) -> Expected:
        """The expected course of SGD on fresh samples, each seen once. ::

            n = λ·(Σ λ·p + σ²)/batch                     variance of the gradient's noise
            p ← (1 − ηλ)²·p + η²·n                       without momentum

        With momentum μ (v ← μ·v + g, w ← w − η·v) the same for three moments, q = E[v²] and c = E[(w − w*)·v]: ::

            q ← μ²·q + 2μλ·c + λ²·p + n      c' = μ·c + λ·p      p ← p − 2η·c' + η²·q      c ← c' − η·q

        It is exact if E[x_k⁴] = 2·λ_k², the inputs being independent and symmetric, as those of ``NoisyQuadratic`` are.

        Args:
            rates: η of each update, float64[steps], or several schedules at once: float64[steps, …].
            batch: samples in an update.
            momentum: μ, as of torch.optim.SGD; one number, or that of each update, float64[steps].
        """
        spectrum, sigma2 = self.spectrum, self.noise**2
        shape = (*rates.shape[1:], self.features)
        second = np.broadcast_to(self.start, shape).copy()
        mean = np.broadcast_to(-np.sqrt(self.start), shape).copy()
        moving, square, cross = (np.zeros(shape) for _ in range(3))  # E[v], E[v²], E[(w − w*)·v]
        loss = np.empty((len(rates) + 1, *rates.shape[1:]))
        with np.errstate(over="ignore", invalid="ignore"):  # beyond the largest rate it diverges
            for step, (rate, mu) in enumerate(zip(rates, np.broadcast_to(momentum, len(rates)), strict=True)):
                excess = second @ spectrum
                loss[step] = excess / 2
                noise = spectrum * (excess[..., None] + sigma2) / batch
                eta = np.asarray(rate)[..., None]
                square = mu**2 * square + 2 * mu * spectrum * cross + spectrum**2 * second + noise
                pull = mu * cross + spectrum * second
                second = second - 2 * eta * pull + eta**2 * square
                cross = pull - eta * square
                moving = mu * moving + spectrum * mean
                mean = mean - eta * moving
            loss[-1] = second @ spectrum / 2
        return Expected(loss, mean, second)
