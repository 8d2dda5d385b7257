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
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from _measure import interleaved, machine, table

TRAIN = str(Path(__file__).resolve().parent.parent / "train.py")
FEW, MANY = 2, 10  # jobs of the two sweeps whose difference is the cost of a job


def sweep(launcher: str, jobs: int, *overrides: str) -> None:
    """The sweep, in a folder that is empty before and gone after."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, TRAIN, "-m", "name=sweep", "logger=none", f"seed=range({jobs})"]
        command += [f"hydra/launcher={launcher}", *overrides]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")


def timed(launcher: str, jobs: int, *overrides: str) -> Callable[[], Callable[[], object]]:
    return lambda: partial(sweep, launcher, jobs, *overrides)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--epochs", type=int, default=60, help="of the digits in each of the 8 jobs")
    given = arguments.parse_args()
    long = f"trainer.epochs={given.epochs}"
    candidates = {"basic": timed("basic", 8, long), "pool": timed("pool", 8, long)}
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher"):
        cores = len(os.sched_getaffinity(0))
        candidates["joblib"] = timed("joblib", 8, long, f"hydra.launcher.n_jobs={cores}")
    else:
        print("joblib is left out: hydra-joblib-launcher is not installed", file=sys.stderr)
    print(f"{machine()}\n\n8 jobs of {given.epochs} epochs of the digits, wall seconds\n")
    print(table(interleaved(candidates, given.rounds), "basic", digits=1))

    short = ("trainer.steps=1", "checkpoint.every=1st", "sweep.jobs=1")
    costs = {f"{jobs} jobs": timed("pool", jobs, *short) for jobs in (FEW, MANY)}
    seconds = interleaved(costs, given.rounds)
    each = [(more - less) / (MANY - FEW) for less, more in zip(*seconds.values(), strict=True)]
    print(f"\nEvery job after the first, from its config to its result after one step: {statistics.median(each):.2f} s")
    print(f"(min–max {min(each):.2f}–{max(each):.2f}, n {len(each)})")


if __name__ == "__main__":
    main()
