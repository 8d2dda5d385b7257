"""A sweep of equal jobs: the wall time under our launcher, Hydra's basic one and joblib's, and what one more job costs.

    python benchmarks/sweep.py --rounds 5

Each sweep is a process of its own, from its start to its end; the launchers take turns. Bounds: pool takes at
most 0.62 of basic's time on two cores, and less than joblib's; a job after the first costs less than 0.3 s before its
first step: the slope over sweeps of jobs that train for a single step, one at a time.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys

from _measure import interleaved, machine, table
from _sweeps import timed

FEW, MANY = 2, 10  # jobs of the two sweeps whose difference is the cost of a job


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--epochs", type=int, default=300, help="of the digits in each of the 8 jobs")
    given = arguments.parse_args()
    jobs = ("seed=range(8)", f"trainer.epochs={given.epochs}")
    candidates = {name: timed(*jobs, f"hydra/launcher={name}") for name in ("basic", "pool")}
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher"):
        cores = len(os.sched_getaffinity(0))
        candidates["joblib"] = timed(*jobs, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={cores}")
    else:
        print("joblib is left out: hydra-joblib-launcher is not installed", file=sys.stderr)
    print(f"{machine()}\n\n8 jobs of {given.epochs} epochs of the digits, wall seconds\n")
    print(table(interleaved(candidates, given.rounds), "basic", digits=1))

    short = ("trainer.steps=1", "checkpoint.every=1st", "sweep.jobs=1")
    costs = {f"{number} jobs": timed(f"seed=range({number})", *short) for number in (FEW, MANY)}
    seconds = interleaved(costs, given.rounds)
    each = [(more - less) / (MANY - FEW) for less, more in zip(*seconds.values(), strict=True)]
    print(f"\nEvery job after the first, from its config to its result after one step: {statistics.median(each):.2f} s")
    print(f"(min–max {min(each):.2f}–{max(each):.2f}, n {len(each)})")


if __name__ == "__main__":
    main()
