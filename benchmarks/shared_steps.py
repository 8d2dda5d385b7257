"""Trunk and cooldowns: the wall time of a sweep whose runs share their first steps, and of the same without.

    python benchmarks/shared_steps.py --rounds 3

The grid of Hägele et al., NeurIPS 2024, https://arxiv.org/abs/2405.18392, at a hundredth of its length: WSD with
horizons of 150, 250, 350 and 500 steps and the cooldowns given, on the digits. The steps to train are those that
the plan says; wall time should follow them.
"""

from __future__ import annotations

import argparse
import re
import tempfile

from _measure import interleaved, machine, table
from _sweeps import sweep, timed

HORIZONS = (150, 250, 350, 500)
GRIDS = {"six cooldowns, 10 to 90 %": "10%,20%,40%,60%,80%,90%", "two cooldowns, 10 and 20 %": "10%,20%"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--model", default="cnn")
    arguments.add_argument(
        "--longer", type=int, default=1, help="so many times as long: what a run costs besides weighs less"
    )
    given = arguments.parse_args()
    horizons = f"trainer.steps={','.join(str(given.longer * steps) for steps in HORIZONS)}"
    print(machine())
    for name, cooldowns in GRIDS.items():
        runs = ("scheduler=wsd", horizons, f"scheduler.decay={cooldowns}", f"model={given.model}")
        with tempfile.TemporaryDirectory() as scratch:
            said = re.search(r"(\d+) steps asked for, (\d+) to train", sweep(scratch, *runs))
        assert said is not None
        asked, trained = map(int, said.groups())
        print(f"\n{name}: {asked} steps asked for, {trained} trained, a part of {trained / asked:.3f}\n")
        candidates = {"each by itself": timed(*runs, "sweep.share=false"), "shared": timed(*runs)}
        print(table(interleaved(candidates, given.rounds, warmups=0), "each by itself", digits=1))


if __name__ == "__main__":
    main()
