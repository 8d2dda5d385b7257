"""Regret, coverage, width and cost of ``find.method=horizon`` where the best rate is known: noisy quadratics.

The runs are real SGD on samples of ``dataset=noisy_quadratic``, many repetitions at once; the truth is the
expected loss in closed form. The first rate that the finder tries is off by a random factor of up to ``--apart``.

    python benchmarks/find_regret.py --repeats 200
    python benchmarks/find_regret.py --repeats 12 --exact      # without noise: the expected losses themselves
    python benchmarks/find_regret.py --repeats 200 --range     # the range test beside it
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from _quadratics import BATCH, RATES, SHARE, Floats, Truth, exactly, really

from lrsched.finder.answer import Candidate
from lrsched.finder.losses import by_horizon
from lrsched.finder.plan import Ask, Plan
from lrsched.finder.ramps.suggest import FIRST, smoothed, suggestions


def find(plans: Sequence[Plan], truth: Truth, first: int, *, exact: bool) -> list[list[Candidate]]:
    """What every repetition has tried in the end."""
    trials, asked = [list[Candidate]() for _ in plans], [[Ask(0.0, 0)] for _ in plans]
    while any(asked):
        asked = [plan.next(of) if more else [] for plan, of, more in zip(plans, trials, asked, strict=True)]
        seeds = plans[0].seeds
        found = exactly(truth, asked, seeds) if exact else really(truth, asked, seeds, first)
        for of, more in zip(trials, found, strict=True):
            of += more
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
    every, budget = range(seeds), int(share * RATES * seeds * truth.steps)
    starts = truth.best * apart ** chance.uniform(-1, 1, repeats)
    plans = [Plan(horizon=truth.steps, seeds=every, start=float(start), budget=budget) for start in starts]
    rows = []
    for plan, trials in zip(plans, find(plans, truth, first, exact=exact), strict=True):
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
    head = "regime shape     regret       median     p90     max |  argmin   lines | covered  width | cost  most"
    print(f"{head} | edge    off")
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
                f"{regime:6} {shape:8} {r.mean():6.2f}±{r.std() / len(r) ** 0.5:.2f}%"
                f" {np.median(r):6.2f}% {np.quantile(r, 0.9):6.2f}% {r.max():6.1f}%",
                f"{100 * mean['argmin']:6.1f}% {100 * mean['lines']:6.1f}%",
                f" {mean['covered']:.3f} {np.median(of['width']):6.2f}",
                f"{100 * mean['cost']:4.1f}% {100 * of['cost'].max():4.1f}%",
                f"{of['edge'].sum():.0f} {mean['off']:+.2f}±{of['off'].std():.2f}",
            ]
            print(" | ".join(cells), f" ({time.perf_counter() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
