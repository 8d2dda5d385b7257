"""How long until something happens: --help, --cfg job, completion, and the first step of the default job.

    python benchmarks/startup.py --rounds 9

Each is a process of its own, started in turn; beside them, in the same rounds, the bare imports that they are
measured against. The first step's moment is the one that the run itself writes into timing.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAIN = str(ROOT / "train.py")


def until_exit(*arguments: str, **variables: str) -> float:
    """Seconds from the start of a process to its end."""
    start = time.time()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env={**os.environ, **variables})
    return time.time() - start


def until_import_of_torch() -> float:
    """Seconds from the start of a process to the moment when torch is imported (its exit is not counted)."""
    start = time.time()
    code = "import torch, time; print(time.time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return float(done.stdout) - start


def until_first_step(folder: Path, number: int) -> float:
    """Seconds from the start of the default job to its first update."""
    start = time.time()
    subprocess.run([sys.executable, TRAIN, f"name=run{number}"], capture_output=True, check=True, cwd=folder)
    rows = (folder / "outputs" / f"run{number}" / "timing.jsonl").read_text().splitlines()
    return next(row["time"] for row in map(json.loads, rows) if row["event"] == "update") - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=9)
    rounds = arguments.parse_args().rounds
    line = "python train.py scheduler=on"
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(-1, rounds):  # the first round fills the caches and is not counted
            measured = {
                'python -c "import hydra"': until_exit("-c", "import hydra"),
                "--help": until_exit(TRAIN, "--help"),
                "--cfg job": until_exit(TRAIN, "--cfg", "job"),
                "completion": until_exit(TRAIN, "-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line))),
                "import torch": until_import_of_torch(),
                "default job, to its first step": until_first_step(Path(scratch), number),
            }
            for name, value in measured.items():
                seconds.setdefault(name, [])
                if number >= 0:
                    seconds[name].append(value)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    bound = 1.5 * median['python -c "import hydra"'] + 0.5
    print("| | median s | min–max | bound s | n |\n|---|---|---|---|---|")
    for name, values in seconds.items():
        limit = f"{bound:.2f}" if name in ("--help", "--cfg job", "completion") else ""
        if name.startswith("default job"):
            limit = f"{median['import torch'] + 1.0:.2f}"
        print(f"| {name} | {median[name]:.2f} | {min(values):.2f}–{max(values):.2f} | {limit} | {len(values)} |")


if __name__ == "__main__":
    main()
