"""Regret, coverage, width and cost of ``find.method=horizon`` where the best rate is known: noisy quadratics.

The runs are real SGD on samples of ``dataset=noisy_quadratic``, all seeds and rates of an ask at once; the truth is the
expected loss in closed form. The first rate that the finder tries is off by a random factor of up to ``--apart``.

    python benchmarks/find_regret.py --repeats 200
    python benchmarks/find_regret.py --repeats 12 --exact      # without noise: the expected losses themselves
    python benchmarks/find_regret.py --repeats 200 --range     # the range test beside it
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrsched import schedules
from lrsched.data.quadratic import Quadratic
from lrsched.finder.answer import Candidate
from lrsched.finder.losses import by_horizon
from lrsched.finder.plan import Ask, Plan
from lrsched.finder.ramps.suggest import FIRST, smoothed, suggestions
from lrsched.horizon import Horizon

Floats = NDArray[np.float64]
Losses = Callable[[Sequence[Ask]], list[Candidate]]

BATCH, RATES, SHARE = 4, 7, 0.15
SHAPES = {"linear": "Linear", "cosine": "Cosine", "wsd": "WSD", "onecycle": "OneCycle"}
WORST = 5.0
"""A regret of more counts as that: 500 %."""


@dataclass(frozen=True)
class Truth:
    """The expected loss of full runs over rates."""

    regime: str
    shape: str
    steps: int

    @cached_property
    def problem(self) -> Quadratic:
        return Quadratic.of(self.regime)

    def multiples(self, steps: int) -> Floats:
        """The schedule as multiples of the rate, float64[steps]."""
        made = getattr(schedules, SHAPES[self.shape])()
        table = made.plan(Horizon(steps=steps)).table()
        return np.asarray(table[:, 0] if table.ndim > 1 else table, dtype=np.float64)

    def expected(self, rates: Floats, steps: int) -> Floats:
        second = np.tile(self.problem.start, (len(rates), 1))
        spectrum = self.problem.spectrum
        with np.errstate(over="ignore", invalid="ignore"):
            for multiple in self.multiples(steps):
                eta = rates[:, None] * multiple
                noise = ((second @ spectrum)[:, None] + self.problem.noise**2) * spectrum / BATCH
                second = (1 - eta * spectrum) ** 2 * second + eta**2 * noise
            loss = second @ spectrum / 2
        return np.where(np.isfinite(loss) & (loss < 1e6), loss, np.inf)

    @cached_property
    def curve(self) -> tuple[Floats, Floats]:
        rates = np.geomspace(1e-4, 4.0, 401)
        return np.log(rates), self.expected(rates, self.steps)

    @property
    def best(self) -> float:
        return float(np.exp(self.curve[0][self.curve[1].argmin()]))

    def regret(self, rate: float) -> float:
        x, loss = self.curve
        at = np.exp(np.interp(np.log(rate), x, np.log(np.minimum(loss, 1e6))))
        return min(float(at / loss.min() - 1), WORST)

    def exactly(self, seeds: Sequence[int]) -> Losses:
        def losses(asked: Sequence[Ask]) -> list[Candidate]:
            return [
                Candidate(ask.lr, ask.horizon, seed, float(loss))
                for ask in asked
                for loss in self.expected(np.array([ask.lr]), ask.horizon)
                for seed in seeds
            ]

        return losses

    def really(self, seeds: Sequence[int], repeat: int) -> Losses:
        """SGD with seeds of their own; a seed sees the same samples at every rate and horizon."""
        spectrum = self.problem.spectrum.astype(np.float32)
        values = np.array([-(2**0.5), 0, 0, 2**0.5], dtype=np.float32)

        def losses(asked: Sequence[Ask]) -> list[Candidate]:
            found = []
            for horizon in sorted({ask.horizon for ask in asked}):
                rates = np.array([ask.lr for ask in asked if ask.horizon == horizon], dtype=np.float32)
                rng = np.random.Generator(np.random.SFC64([repeat, 2026]))
                features = len(spectrum)
                state = np.tile(np.sqrt(spectrum * self.problem.start.astype(np.float32)), (len(seeds), len(rates), 1))
                with np.errstate(over="ignore", invalid="ignore"):
                    for multiple in self.multiples(horizon):
                        x = values[rng.integers(0, 4, (len(seeds), BATCH, features), dtype=np.uint8)]
                        noise = 2 * rng.integers(0, 2, (len(seeds), 1, BATCH)).astype(np.float32) - 1
                        residual = state @ x.transpose(0, 2, 1) + noise
                        step = (rates * np.float32(multiple))[:, None] * spectrum
                        state -= step * (residual @ x) / BATCH
                    loss = (state.astype(np.float64) ** 2).sum(-1) / 2
                for number, seed in enumerate(seeds):
                    for rate, value in zip([a.lr for a in asked if a.horizon == horizon], loss[number], strict=True):
                        found.append(Candidate(rate, horizon, seed, float(value) if value < 1e6 else np.inf))
            return found

        return losses


def find(plan: Plan, losses: Losses) -> list[Candidate]:
    trials: list[Candidate] = []
    while asked := plan.next(trials):
        trials += losses(asked)
    return trials


def argmin(trials: Sequence[Candidate], seeds: Sequence[int]) -> float:
    """The best rate of the longest horizon as it stands."""
    known = by_horizon(trials, seeds)
    longest = known[max(known)]
    return float(np.exp(longest.x[longest.mean.argmin()]))


def quadratics(trials: Sequence[Candidate], seeds: Sequence[int], steps: int) -> float:
    """A parabola at each horizon, through the best rate and its neighbours, and a line through their optima."""
    places, horizons = [], []
    for horizon, of in by_horizon(trials, seeds).items():
        fine = np.isfinite(of.mean)
        x, y = of.x[fine], of.mean[fine]
        best = int(np.clip(y.argmin(), 1, len(x) - 2)) if len(x) > 2 else -1
        if best < 0:
            continue
        a, b, _ = np.polyfit(x[best - 1 : best + 2], y[best - 1 : best + 2], 2)
        places.append(float(np.clip(-b / (2 * a), x[0], x[-1])) if a > 0 else float(x[y.argmin()]))
        horizons.append(np.log(horizon))
    if len(places) < 2:
        return float(np.exp(places[0])) if places else 1e-9
    slope, at = np.polyfit(horizons, places, 1)
    return float(np.exp(np.clip(at + slope * np.log(steps), -20, 20)))


def range_tests(truth: Truth, repeats: int, seeds: int, steps: int = 100) -> dict[str, Floats]:
    """Regrets of a range test: for each suggestion, the median rate of the seeds. A seed has its own samples."""
    rates = 1e-7 * 1e8 ** (np.arange(steps) / steps)
    spectrum, start = truth.problem.spectrum, np.sqrt(truth.problem.spectrum * truth.problem.start)
    found: dict[str, list[float]] = {}
    for repeat in range(repeats):
        suggested: dict[str, list[float]] = {}
        for seed in range(seeds):
            rng = np.random.default_rng([repeat, seed])
            state, losses = start.copy(), list[float]()
            for rate in rates:
                x = rng.choice([-(2**0.5), 0, 0, 2**0.5], (BATCH, len(spectrum)))
                residual = x @ state + rng.choice([-1.0, 1.0], BATCH)
                losses.append(float(residual @ residual) / 2 / BATCH)
                if len(losses) > steps // FIRST and smoothed(losses, 0.98)[-1] > 4 * smoothed(losses, 0.98).min():
                    break
                state = state - rate * spectrum * (x.T @ residual) / BATCH
            tried = np.array(rates[: len(losses)])
            for name, rate in suggestions(tried, smoothed(losses, 0.98), steps).items():
                suggested.setdefault(name, []).append(rate)
        for name, many in suggested.items():
            found.setdefault(name, []).append(truth.regret(float(np.median(many))))
    return {name: np.array(values) for name, values in found.items()}


def study(
    truth: Truth, *, repeats: int, exact: bool, apart: float, share: float, seeds: int, first: int = 0
) -> dict[str, Floats]:
    chance = np.random.default_rng(1 + first)
    every = range(seeds)
    rows = []
    for repeat in range(first, first + repeats):
        start = truth.best * apart ** chance.uniform(-1, 1)
        budget = int(share * RATES * seeds * truth.steps)
        plan = Plan(horizon=truth.steps, seeds=every, start=start, budget=budget)
        trials = find(plan, truth.exactly(every) if exact else truth.really(every, repeat))
        found = plan.answer(trials)
        assert found is not None
        rows.append(
            (
                truth.regret(found.rate),
                truth.regret(argmin(trials, every)),
                truth.regret(quadratics(trials, every, truth.steps)),
                found.low <= truth.best <= found.high,
                found.high / found.low,
                plan.cost(trials) / (RATES * seeds * truth.steps),
                found.edge is not None,
                np.log(found.rate / truth.best),
            )
        )
    names = "regret", "argmin", "lines", "covered", "width", "cost", "edge", "off"
    return dict(zip(names, np.array(rows, dtype=np.float64).T, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first repetition: others for others")
    parser.add_argument("--exact", action="store_true", help="expected losses instead of runs")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--apart", type=float, default=8.0, help="how far off the first rate is, at most")
    parser.add_argument("--share", type=float, default=SHARE, help="budget, as a part of 7 rates x seeds full runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--regimes", default="easy,steep,hard")
    parser.add_argument("--shapes", default="linear")
    parser.add_argument("--range", action="store_true", help="the range test instead: 100 steps, 1e-7 to 10")
    given = parser.parse_args()
    if given.range:
        for regime in given.regimes.split(","):
            tests = range_tests(Truth(regime, "linear", given.steps), given.repeats, given.seeds)
            print(regime, {name: f"{100 * values.mean():.1f}%" for name, values in tests.items()}, flush=True)
        return
    print(
        "regime shape     regret  median     p90     max |  argmin   lines | covered  width | cost  most | edge    off"
    )
    for regime in given.regimes.split(","):
        for shape in given.shapes.split(","):
            begun = time.perf_counter()
            truth = Truth(regime, shape, given.steps)
            of = study(
                truth,
                repeats=given.repeats,
                exact=given.exact,
                apart=given.apart,
                share=given.share,
                seeds=given.seeds,
                first=given.first,
            )
            r, mean = 100 * of["regret"], {name: float(values.mean()) for name, values in of.items()}
            cells = [
                f"{regime:6} {shape:8} {r.mean():6.2f}% {np.median(r):6.2f}% {np.quantile(r, 0.9):6.2f}%",
                f"{r.max():6.1f}%",
                f"{100 * mean['argmin']:6.1f}% {100 * mean['lines']:6.1f}%",
                f" {mean['covered']:.3f} {np.median(of['width']):6.2f}",
                f"{100 * mean['cost']:4.1f}% {100 * of['cost'].max():4.1f}%",
                f"{of['edge'].sum():.0f} {mean['off']:+.2f}±{of['off'].std():.2f}",
            ]
            print(" | ".join(cells), f" ({time.perf_counter() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
