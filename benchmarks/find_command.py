"""Regret, coverage and width of ``lrsched find`` on noisy quadratics, through the command itself: real runs.

The command runs in this process, its runs in the pool of a sweep; each repetition has seeds of its own, and begins with
a rate that is off by a factor of up to 8. The truth is the expected loss in closed form.

    OMP_NUM_THREADS=1 python benchmarks/find_command.py --repeats 200 --regimes easy,steep,hard
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _quadratics import RATES, Truth

from lrsched.cli.find import main as find

SEEDS, STEPS, APART = 3, 2000, 8.0
ONCE = ("logger=none", "threads=1", "trainer.progress=false", "trainer.evaluate_every=100%")


class Row(NamedTuple):
    """What a repetition came to; ``argmin``: the regret of the best rate of the longest runs as it stands."""

    regret: float
    argmin: float
    covered: bool
    width: float
    cost: float
    seconds: float


def once(truth: Truth, repeat: int, jobs: int) -> Row:
    start = truth.best * APART ** np.random.default_rng([9, repeat]).uniform(-1, 1)
    words = [f"seed={1000 + 10 * repeat}", f"optimizer.lr={start:.4g}", f"sweep.jobs={jobs}", f"name=r{repeat}"]
    began, said = time.perf_counter(), io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        code = find(["experiment=noisy_quadratic", f"dataset.regime={truth.regime}", *ONCE, *words])
    if code:
        raise SystemExit(said.getvalue())
    seconds = time.perf_counter() - began
    answer = json.loads(Path(f"outputs/r{repeat}/find.json").read_text())
    longest = max(each["horizon"] for each in answer["candidates"])
    means: dict[float, list[float]] = {}
    for each in answer["candidates"]:
        if each["horizon"] == longest:
            means.setdefault(each["lr"], []).append(np.inf if each["loss"] is None else each["loss"])
    best = min(means, key=lambda rate: float(np.mean(means[rate])))
    low, high = answer["interval"]
    return Row(
        truth.regret(answer["suggestion"]),
        truth.regret(best),
        low <= truth.best <= high,
        high / low,
        answer["cost_steps"] / (RATES * SEEDS * STEPS),
        seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first repetition: others for others")
    parser.add_argument("--regimes", default="easy,steep,hard")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    for regime in given.regimes.split(","):
        truth, rows = Truth(regime, "linear", STEPS), list[Row]()
        for repeat in range(given.first, given.first + given.repeats):
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                rows.append(once(truth, repeat, given.jobs))
                os.chdir("/")
            r = 100 * np.array([row.regret for row in rows])
            last = len(rows) == given.repeats
            print(
                f"{regime:6} n {len(rows)} regret {r.mean():.2f} % ± {r.std() / len(r) ** 0.5:.2f}, median "
                f"{np.median(r):.2f}, 90 % {np.quantile(r, 0.9):.1f}, most {r.max():.1f} | argmin "
                f"{100 * np.mean([row.argmin for row in rows]):.1f} % | covered "
                f"{np.mean([row.covered for row in rows]):.3f} | width {np.median([row.width for row in rows]):.2f} | "
                f"cost {100 * max(row.cost for row in rows):.1f} % | {np.median([row.seconds for row in rows]):.1f} s",
                end="\n" if last else "\r",
                flush=True,
            )


if __name__ == "__main__":
    main()
