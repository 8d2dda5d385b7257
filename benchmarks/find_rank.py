"""Which of four schedules is best, by ``lrsched find scheduler=…``, where the truth is known: noisy quadratics.

The runs are real SGD on samples of ``dataset=noisy_quadratic``, all repetitions and seeds at once; the truth is the
expected loss in closed form of full runs, each schedule at its own best rate. A verdict is that one schedule is better
than another; it is wrong if the expected losses say otherwise.

    python benchmarks/find_rank.py --repeats 200
    python benchmarks/find_rank.py --exact      # without noise: the expected losses themselves
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrsched import schedules
from lrsched.data.quadratic import Quadratic
from lrsched.finder.answer import Candidate
from lrsched.finder.fit import Fit
from lrsched.finder.losses import by_horizon
from lrsched.finder.plan import Ask, Plan
from lrsched.finder.predict import Bests
from lrsched.finder.rivals import Contest, ranked
from lrsched.horizon import Horizon

Floats = NDArray[np.float64]

BATCH, RATES, SHARE = 4, 7, 0.15
SHAPES = {"cosine": "Cosine", "wsd": "WSD", "onecycle": "OneCycle", "linear": "Linear"}


@dataclass(frozen=True)
class Truth:
    """The expected loss of full runs over rates."""

    regime: str
    shape: str
    steps: int

    @cached_property
    def problem(self) -> Quadratic:
        return Quadratic.of(self.regime)

    def columns(self, steps: int) -> tuple[Floats, Floats]:
        """Multiples of the rate, and the momentum, of every update."""
        table = getattr(schedules, SHAPES[self.shape])().table(Horizon(steps=steps), 1.0)
        return table["lr"], table.get("momentum", np.zeros(steps))

    def expected(self, rates: Floats, steps: int) -> Floats:
        multiple, momentum = self.columns(steps)
        loss = self.problem.expected(multiple[:, None] * rates, BATCH, momentum).loss[-1]
        return np.where(np.isfinite(loss) & (loss < 1e6), loss, np.inf)

    @cached_property
    def curve(self) -> tuple[Floats, Floats]:
        rates = np.geomspace(0.003, 3.0, 150)
        return rates, self.expected(rates, self.steps)

    @property
    def best(self) -> float:
        return float(self.curve[0][self.curve[1].argmin()])

    @property
    def least(self) -> float:
        """The least loss: a parabola through the best rate of the curve and its neighbours."""
        at = int(self.curve[1].argmin())
        below, middle, above = np.log(self.curve[1][at - 1 : at + 2])
        bend = above - 2 * middle + below
        return float(np.exp(middle - (above - below) ** 2 / (8 * bend)) if np.isfinite(bend) else self.curve[1][at])


def exactly(truth: Truth, asked: Sequence[Sequence[Ask]], seeds: Sequence[int]) -> list[list[Candidate]]:
    """Expected losses instead of runs."""
    return [
        [
            Candidate(ask.lr, ask.horizon, seed, float(truth.expected(np.array([ask.lr]), ask.horizon)[0]))
            for ask in of
            for seed in seeds
        ]
        for of in asked
    ]


def really(truth: Truth, asked: Sequence[Sequence[Ask]], seeds: Sequence[int], first: int) -> list[list[Candidate]]:
    """SGD for every repetition; a seed of a repetition sees the same samples at every rate, horizon and schedule."""
    most, longest = max(map(len, asked)), max(ask.horizon for of in asked for ask in of)
    spectrum = truth.problem.spectrum.astype(np.float32)
    features, many = len(spectrum), len(seeds)
    rate = np.zeros((len(asked), most, longest), dtype=np.float32)
    momentum = np.zeros_like(rate)
    for repeat, of in enumerate(asked):
        for place, ask in enumerate(of):
            multiple, mu = truth.columns(ask.horizon)
            rate[repeat, place, : ask.horizon] = ask.lr * multiple
            momentum[repeat, place, : ask.horizon] = mu
    there = [repeat for repeat, of in enumerate(asked) if of]
    state = np.tile(np.sqrt(spectrum * truth.problem.start.astype(np.float32)), (len(there), many, most, 1))
    moving = np.zeros_like(state)
    values = np.array([-(2**0.5), 0, 0, 2**0.5], dtype=np.float32)
    streams = [np.random.Generator(np.random.SFC64([first + repeat, 2026])) for repeat in there]
    moved = bool(momentum.any())
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(longest):
            x = values[np.stack([g.integers(0, 4, (many, BATCH, features), dtype=np.uint8) for g in streams])]
            sign = np.stack([g.integers(0, 2, (many, 1, BATCH)) for g in streams]).astype(np.float32)
            residual = state @ x.swapaxes(-1, -2) + (2 * sign - 1)
            gradient = spectrum * (residual @ x) / BATCH
            if moved:
                moving = momentum[there, None, :, step, None] * moving + gradient
                gradient = moving
            state -= rate[there, None, :, step, None] * gradient
        loss = (state.astype(np.float64) ** 2).sum(-1) / 2
    found: list[list[Candidate]] = [[] for _ in asked]
    for row, repeat in enumerate(there):
        for place, ask in enumerate(asked[repeat]):
            for number, seed in enumerate(seeds):
                value = float(loss[row, number, place])
                found[repeat].append(Candidate(ask.lr, ask.horizon, seed, value if value < 1e6 else np.inf))
    return found


def trials(
    truths: Mapping[str, Truth], *, repeats: int, first: int, exact: bool, share: float, seeds: Sequence[int]
) -> list[dict[str, list[Candidate]]]:
    """What every repetition has tried in the end. The first rate is off by a factor of up to 8, the same for all."""
    chance = np.random.default_rng(1 + first)
    steps = next(iter(truths.values())).steps
    contests, known = [], [{name: list[Candidate]() for name in truths} for _ in range(repeats)]
    for _ in range(repeats):
        start = truths["cosine"].best * 8 ** chance.uniform(-1, 1)
        plan = Plan(horizon=steps, seeds=seeds, start=start, budget=int(share * RATES * len(seeds) * steps))
        contests.append(Contest(dict.fromkeys(truths, plan)))
    asked: list[dict[str, list[Ask]]] = [{"": []}] * repeats
    while any(asked):
        asked = [contest.next(of) if more else {} for contest, of, more in zip(contests, known, asked, strict=True)]
        for name, truth in truths.items():
            rounds = [of.get(name, []) for of in asked]
            if any(rounds):
                found = exactly(truth, rounds, seeds) if exact else really(truth, rounds, seeds, first)
                for of, more in zip(known, found, strict=True):
                    of[name] += more
    return known


def study(truths: Mapping[str, Truth], known: Sequence[Mapping[str, Sequence[Candidate]]], seeds: Sequence[int]) -> str:
    """A line of the table: what the verdicts of all repetitions were worth."""
    names, steps = list(truths), next(iter(truths.values())).steps
    least = {name: truth.least for name, truth in truths.items()}
    best, wrong, decided, whole, first, covered, gaps = min(least, key=least.__getitem__), 0, 0, 0, 0, 0, 0
    by_gap: dict[str, list[int]] = {"below 5 %": [0, 0], "5 to 15 %": [0, 0], "above 15 %": [0, 0]}
    for of in known:
        bests = []
        for name in names:
            finite = {h: one for h, one in by_horizon(of[name], seeds).items() if np.isfinite(one.mean).any()}
            bests.append(Bests.of(Fit.of(finite), of[name], seeds))
        places = ranked(bests, steps)
        leader, mistaken, told = least[names[places[0].number]], False, 0
        first += leader == least[best]
        for place in places[1:]:
            assert place.behind is not None
            truth = 100 * (least[names[place.number]] / leader - 1)
            covered, gaps = covered + (place.behind.low <= truth <= place.behind.high), gaps + 1
            kind = "below 5 %" if abs(truth) < 5 else "5 to 15 %" if abs(truth) < 15 else "above 15 %"
            by_gap[kind][0] += 1
            if place.behind.low > 0:
                told, mistaken = told + 1, mistaken or truth < 0
                by_gap[kind][1] += 1
        wrong, decided, whole = wrong + mistaken, decided + told, whole + (told == len(names) - 1)
    cost = sum(c.horizon for of in known for tried in of.values() for c in tried) / len(known)
    full = RATES * len(seeds) * steps * len(names)
    told_of = ", ".join(f"{kind} {made}/{there}" for kind, (there, made) in by_gap.items())
    return (
        f"n {len(known)}, cost {100 * cost / full:.1f}% of full grids = {cost / steps:.0f} full runs: "
        f"wrong {100 * wrong / len(known):.1f}%, pairs decided {100 * decided / gaps:.0f}% ({told_of}), "
        f"all decided {100 * whole / len(known):.0f}%, best first {100 * first / len(known):.0f}%, "
        f"gaps covered {covered / gaps:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first repetition: others for others")
    parser.add_argument("--exact", action="store_true", help="expected losses instead of runs")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument(
        "--share", type=float, default=SHARE, help="budget, as a part of 7 rates x seeds full runs each"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--regimes", default="easy,steep,hard")
    given = parser.parse_args()
    seeds, options = range(given.seeds), {"exact": given.exact, "share": given.share}
    for regime in given.regimes.split(","):
        begun = time.perf_counter()
        truths = {name: Truth(regime, name, given.steps) for name in SHAPES}
        least = min(truth.least for truth in truths.values())
        print(regime, {name: f"+{100 * (truth.least / least - 1):.1f} %" for name, truth in truths.items()}, flush=True)
        known = trials(truths, repeats=given.repeats, first=given.first, seeds=seeds, **options)
        print(f"  {study(truths, known, seeds)} ({time.perf_counter() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
