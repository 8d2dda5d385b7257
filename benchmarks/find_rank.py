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

import numpy as np
from _quadratics import RATES, SHAPES, SHARE, Truth, exactly, really

from lrsched.finder.answer import Candidate
from lrsched.finder.fit import Fit
from lrsched.finder.losses import by_horizon
from lrsched.finder.plan import Ask, Plan
from lrsched.finder.predict import Bests
from lrsched.finder.rivals import Contest, ranked


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
            bests.append(Bests.of(Fit.of(finite, passes=1.0), of[name], seeds))
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
