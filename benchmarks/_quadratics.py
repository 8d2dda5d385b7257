"""Noisy quadratics as ground truth for the finder: the expected loss of full runs, and real SGD, many runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrsched import schedules
from lrsched.data.quadratic import REGIMES, Quadratic
from lrsched.finder.answer import Candidate
from lrsched.finder.plan import Ask
from lrsched.horizon import Horizon

Floats = NDArray[np.float64]

BATCH, RATES, SHARE = 4, 7, 0.15
SHAPES = {"cosine": "Cosine", "wsd": "WSD", "onecycle": "OneCycle", "linear": "Linear"}
WORST = 5.0
"""A regret of more counts as that: 500 %."""

DIVERGED = 1e6
TOGETHER = 25
"""Repetitions that train at once: more hardly save time, and want memory."""


@dataclass(frozen=True)
class Truth:
    """The expected loss of full runs over rates.

    Args:
        regime: one of the three, or β:s:σ of another problem, as 1.7:0.9:0.5.
        shape: of the schedule, as its YAML has it; one-cycle moves the momentum too.
        steps: of a full run.
    """

    regime: str
    shape: str
    steps: int

    @cached_property
    def problem(self) -> Quadratic:
        if self.regime in REGIMES:
            return Quadratic.of(self.regime)
        beta, s, noise = map(float, self.regime.split(":"))
        return Quadratic(beta=beta, s=s, noise=noise)

    def columns(self, steps: int) -> tuple[Floats, Floats]:
        """Multiples of the rate, and the momentum, of every update."""
        table = getattr(schedules, SHAPES[self.shape])().table(Horizon(steps=steps), 1.0)
        return table["lr"], table.get("momentum", np.zeros(steps))

    def expected(self, rates: Floats, steps: int) -> Floats:
        multiple, momentum = self.columns(steps)
        loss = self.problem.expected(multiple[:, None] * rates, BATCH, momentum).loss[-1]
        return np.where(np.isfinite(loss) & (loss < DIVERGED), loss, np.inf)

    @cached_property
    def curve(self) -> tuple[Floats, Floats]:
        """ln rate, and the loss."""
        rates = np.geomspace(0.002, 4.0, 401)
        return np.log(rates), self.expected(rates, self.steps)

    @property
    def best(self) -> float:
        return float(np.exp(self.curve[0][self.curve[1].argmin()]))

    @property
    def least(self) -> float:
        """The least loss: a parabola through the best rate of the curve and its neighbours."""
        at = int(self.curve[1].argmin())
        below, middle, above = np.log(self.curve[1][at - 1 : at + 2])
        bend = above - 2 * middle + below
        return float(np.exp(middle - (above - below) ** 2 / (8 * bend)) if np.isfinite(bend) else self.curve[1][at])

    def regret(self, rate: float) -> float:
        x, loss = self.curve
        at = np.exp(np.interp(np.log(rate), x, np.log(np.minimum(loss, DIVERGED))))
        return min(float(at / loss.min() - 1), WORST)


def exactly(truth: Truth, asked: Sequence[Sequence[Ask]], seeds: Sequence[int]) -> list[list[Candidate]]:
    """Expected losses instead of runs."""
    rates: dict[int, list[float]] = {}
    for lr, horizon in sorted({ask for of in asked for ask in of}):
        rates.setdefault(horizon, []).append(lr)
    losses = {horizon: truth.expected(np.array(many), horizon) for horizon, many in rates.items()}
    known = {
        Ask(lr, horizon): float(loss)
        for horizon, many in rates.items()
        for lr, loss in zip(many, losses[horizon], strict=True)
    }
    return [[Candidate(*ask, seed, known[ask]) for ask in of for seed in seeds] for of in asked]


def really(truth: Truth, asked: Sequence[Sequence[Ask]], seeds: Sequence[int], first: int) -> list[list[Candidate]]:
    """SGD for every repetition; a seed of a repetition sees the same samples at every rate, horizon and schedule.

    Args:
        truth: of the problem.
        asked: by each repetition.
        seeds: of the runs.
        first: number of the first repetition.
    """
    found: list[list[Candidate]] = [[] for _ in asked]
    busy = sorted((repeat for repeat, of in enumerate(asked) if of), key=lambda repeat: asked[repeat][-1].horizon)
    for begin in range(0, len(busy), TOGETHER):
        rows = busy[begin : begin + TOGETHER]
        losses = _trained(truth, [asked[row] for row in rows], len(seeds), [first + row for row in rows])
        for row, loss in zip(rows, losses, strict=True):
            for place, ask in enumerate(asked[row]):
                for number, seed in enumerate(seeds):
                    value = float(loss[number, place])
                    found[row].append(Candidate(*ask, seed, value if value < DIVERGED else np.inf))
    return found


def _trained(truth: Truth, asked: Sequence[Sequence[Ask]], seeds: int, streams: Sequence[int]) -> Floats:
    """Losses at the end, float64[repetitions, seeds, asks]."""
    most, longest = max(map(len, asked)), max(ask.horizon for of in asked for ask in of)
    spectrum = truth.problem.spectrum.astype(np.float32)
    rate = np.zeros((len(asked), 1, most, longest), dtype=np.float32)
    momentum = np.zeros_like(rate)
    for row, of in enumerate(asked):
        for place, ask in enumerate(of):
            multiple, mu = truth.columns(ask.horizon)
            rate[row, 0, place, : ask.horizon] = ask.lr * multiple
            momentum[row, 0, place, : ask.horizon] = mu
    start = np.sqrt(spectrum * truth.problem.start.astype(np.float32))
    state = np.tile(start, (len(asked), seeds, most, 1))
    moving, moved = np.zeros_like(state), bool(momentum.any())
    values = np.array([-(2**0.5), 0, 0, 2**0.5], dtype=np.float32)
    labels = np.float32(truth.problem.noise)
    samples = [np.random.Generator(np.random.SFC64([stream, 2026])) for stream in streams]
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(longest):
            x = values[np.stack([g.integers(0, 4, (seeds, BATCH, len(spectrum)), dtype=np.uint8) for g in samples])]
            sign = np.stack([g.integers(0, 2, (seeds, 1, BATCH)) for g in samples]).astype(np.float32)
            residual = state @ x.swapaxes(-1, -2) + labels * (2 * sign - 1)
            gradient = spectrum * (residual @ x) / BATCH
            if moved:
                moving = momentum[..., step, None] * moving + gradient
                gradient = moving
            state -= rate[..., step, None] * gradient
        return np.asarray((state.astype(np.float64) ** 2).sum(-1) / 2)
