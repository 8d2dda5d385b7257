"""The regret of ``lrsched find`` on real problems, beside grids of full runs.

    LRSCHED_DATA=DATA python benchmarks/find_real.py --outputs outputs/find_real
    python benchmarks/find_real.py --only diabetes --outputs outputs/find_real

For each problem and schedule: full runs of 7 to 9 rates × 8 seeds, and three other seeds for the finder, which begins
with a rate that is several times off and may cost 15 % of 7 rates with its own seeds. The regret of its rate is read
off a curve through the grid's mean log losses, a local quadratic in the logarithm of the rate; its error comes from
200 draws of the grid's seeds. With ``--outputs`` finished runs stay, and are not trained again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from pydoc_data import topics

import numpy as np
from _measure import machine
from _sweeps import TRAIN, run
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1

Floats = NDArray[np.float64]
SCHEDULES = ("cosine", "wsd")
SEEDS, FINDER, FIRST = 8, 3, 100
DRAWS, REACH, BAND = 200, 2.6, 1.0
ONCE = ("trainer.evaluate_every=100%", "logger=none")


@dataclass(frozen=True)
class Problem:
    """A config, the rates of its grid, where the finder begins, the metric that judges, and the schedules."""

    words: tuple[str, ...]
    rates: tuple[float, ...]
    start: float
    metric: str
    schedules: tuple[str, ...] = SCHEDULES


def doubled(lowest: float, count: int) -> tuple[float, ...]:
    return tuple(lowest * 2**number for number in range(count))


PROBLEMS = {
    "mnist": Problem(
        ("dataset=mnist", "model=cnn", "dataset.batch_size=32", "dataset.validation=0.05", "trainer.steps=600"),
        doubled(0.0025, 7),
        0.1,
        "val/loss",
    ),
    "python_source": Problem(
        (
            *("dataset=python_source", "task=language_model", "model=gpt", "optimizer=adamw", "model.layers=2"),
            *("model.width=64", "model.heads=2", "model.positions=rotary", "model.std=0.09", "dataset.context=64"),
            *("dataset.batch_size=8", "dataset.megabytes=1", "optimizer.weight_decay=0.1", "trainer.clip_norm=1.0"),
            "trainer.steps=400",
        ),
        doubled(0.0005, 7),
        0.001,
        "val/loss",
    ),
    "diabetes": Problem(
        (
            *("dataset=diabetes", "task=regression", "model=mlp", "optimizer=adamw", "optimizer.weight_decay=1.0"),
            *("trainer.steps=600", "checkpoint.monitor=val/rmse"),
        ),
        doubled(0.001, 10),
        0.003,
        "val/rmse",
    ),
    "digits": Problem(
        ("trainer.steps=600",), doubled(0.0125, 9), 0.02, "val/loss", ("cosine", "wsd", "onecycle", "linear")
    ),
    "cancer": Problem(("experiment=cancer", "trainer.steps=400"), doubled(0.0005, 9), 0.003, "val/loss"),
    "small_cnn": Problem(("model=cnn", "trainer.steps=400"), doubled(0.005, 7), 0.3, "val/loss"),
    "friedman": Problem(
        (
            *("dataset=table", "dataset.path=friedman.csv", "dataset.target=y", "task=regression", "optimizer=adamw"),
            "trainer.steps=600",
        ),
        doubled(0.0005, 9),
        0.001,
        "val/loss",
    ),
    "english": Problem(
        (
            *("dataset=text", f"dataset.path={topics.__file__}", "task=language_model", "model=gpt", "optimizer=adamw"),
            *("model.layers=1", "model.width=32", "model.heads=2", "dataset.context=32", "dataset.batch_size=8"),
            "trainer.steps=400",
        ),
        doubled(0.001, 8),
        0.1,
        "val/loss",
    ),
}


def friedman(where: Path) -> None:
    """A table of a made-up regression, whose target has noise."""
    x, y = make_friedman1(2000, noise=1.0, random_state=0)
    head = ",".join([*(f"x{number}" for number in range(x.shape[1])), "y"])
    np.savetxt(where / "friedman.csv", np.column_stack([x, y]), "%.6g", ",", header=head, comments="")


def grid(name: str, problem: Problem, where: str) -> dict[str, Floats]:
    """The metric at the end of full runs: for each schedule float64[rates, seeds]."""
    seeds = ",".join(map(str, range(SEEDS)))
    rates = ",".join(f"{rate:g}" for rate in problem.rates)
    schedules = ",".join(problem.schedules)
    swept = (f"scheduler={schedules}", f"optimizer.lr={rates}", f"seed={seeds}", f"name={name}-grid")
    run([sys.executable, TRAIN, "-m", *problem.words, *ONCE, *swept], where)
    found: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (Path(where) / "outputs" / f"{name}-grid" / "sweep.csv").open() as file:
        for row in csv.DictReader(file):
            loss = row[problem.metric]
            found[row["scheduler"]][float(row["optimizer.lr"])].append(float(loss) if loss else np.inf)
    return {kind: np.array([by_rate[rate] for rate in problem.rates]) for kind, by_rate in found.items()}


def answer(name: str, problem: Problem, kind: str, where: str) -> dict[str, float]:
    """The finder's rate, its interval, and its cost as a part of 7 rates with its seeds."""
    own = (f"scheduler={kind}", f"optimizer.lr={problem.start:g}", f"seed={FIRST}", f"name={name}-{kind}")
    finder = ("find.method=horizon", f"find.seeds={FINDER}", "find.budget=15%")
    run([sys.executable, "-m", "lrsched", "find", *problem.words, *ONCE, *own, *finder], where)
    found = json.loads((Path(where) / "outputs" / f"{name}-{kind}" / "find.json").read_text())
    low, high = found["interval"]
    full = 7 * FINDER * found["horizon"]
    return {"rate": found["suggestion"], "low": low, "high": high, "cost": found["cost_steps"] / full}


def curve(rates: Floats, losses: Floats, at: Floats) -> Floats:
    """The loss at some rates: a quadratic in the logarithm of the rate, about each, of the mean log losses, without
    those beyond a cliff."""
    x, y = np.log(rates), np.log(losses).mean(axis=1)
    width = REACH * (x[1] - x[0])
    fitted = []
    for place in np.log(at):
        weight = np.where(y < y.min() + BAND, np.clip(1 - np.abs((x - place) / width) ** 3, 0, None) ** 3, 0)
        degree = min(2, int((weight > 0).sum()) - 1)
        powers = np.vander(x - place, degree + 1, increasing=True)
        root = np.sqrt(weight)[:, None]
        fitted.append(np.linalg.lstsq(powers * root, np.where(weight > 0, y, 0) * root[:, 0], rcond=None)[0][0])
    return np.exp(np.array(fitted))


def regret(rates: Floats, losses: Floats, rate: float) -> tuple[float, float, float]:
    """The regret of a rate, its standard error, and half a seed's standard deviation at the best rate of the grid."""
    if not rates[0] <= rate <= rates[-1]:
        raise SystemExit(f"{rate:g} lies beyond the grid, {rates[0]:g} to {rates[-1]:g}")
    level = np.log(losses).mean(axis=1)
    stable = rates[level < level.min() + BAND]
    fine = np.append(np.geomspace(stable[0], stable[-1], 201), rate)

    def of(some: Floats) -> float:
        fitted = curve(rates, some, fine)
        return float(fitted[-1] / fitted.min() - 1)

    generator = np.random.default_rng(0)
    drawn = [of(losses[:, generator.integers(0, SEEDS, SEEDS)]) for _ in range(DRAWS)]
    best = losses[losses.mean(axis=1).argmin()]
    return of(losses), float(np.std(drawn)), float(best.std(ddof=1) / best.mean() / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PROBLEMS))
    parser.add_argument("--outputs", help="a folder whose finished runs are kept")
    parser.add_argument("--grids", action="store_true", help="train the grids, and ask no finder")
    options = parser.parse_args()
    where = options.outputs or tempfile.mkdtemp()
    Path(where).mkdir(parents=True, exist_ok=True)
    friedman(Path(where))
    print(machine())
    print("\n| problem | schedule | best of the grid | found | 95 % | cost | regret | its error | half a seed's sd |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.only.split(","):
        problem = PROBLEMS[name]
        if name == "mnist" and (data := os.environ.get("LRSCHED_DATA")):
            problem = Problem((*problem.words, f"dataset.root={data}"), problem.rates, problem.start, problem.metric)
        rates = np.array(problem.rates)
        for kind, losses in grid(name, problem, where).items():
            best = rates[losses.mean(axis=1).argmin()]
            if options.grids:
                print(name, kind, best, [f"{loss:.4g}" for loss in losses.mean(axis=1)], flush=True)
                continue
            found = answer(name, problem, kind, where)
            missed, error, half = regret(rates, losses, found["rate"])
            shown = f"{found['rate']:.3g} | {found['low']:.2g}–{found['high']:.2g} | {found['cost']:.1%}"
            print(
                f"| {name} | {kind} | {best:.3g} | {shown} | {missed:.1%} | {error:.1%} | {half:.1%} |".replace(
                    "%", " %"
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
