"""A thousand runs: what it takes to report them, and to give the command again when all are finished.

    python benchmarks/many_runs.py --rounds 3

The runs are real, of two steps each; making them takes a few minutes. Bounds: the report takes less than 10 s, the
command given again at most 2 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from functools import partial

from _measure import interleaved, machine
from _sweeps import run, sweep

REPORT = [sys.executable, "-c", "from lrsched.cli.main import main; main()", "report", "outputs/sweep"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--runs", type=int, default=1000)
    given = arguments.parse_args()
    runs = ("scheduler=constant,cosine,step,wsd", f"seed=range({given.runs // 4})", "trainer.steps=2")
    with tempfile.TemporaryDirectory() as scratch:
        sweep(scratch, *runs)
        report, again = partial(run, REPORT, scratch), partial(sweep, scratch, *runs)
        seconds = interleaved({"lrsched report": lambda: report, "the same command again": lambda: again}, given.rounds)
    print(f"{machine()}\n\n{given.runs} finished runs\n\n| | median s | min–max | n |\n|---|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.1f} | {min(values):.1f}–{max(values):.1f} | {len(values)} |")


if __name__ == "__main__":
    main()
