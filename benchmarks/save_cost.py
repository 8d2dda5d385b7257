"""What checkpoints cost at the default interval, as a part of the run's time; and one save by size of the state.

    python benchmarks/save_cost.py --rounds 5

The share is that of whole runs of ``python train.py`` with the digits, lengthened to some seconds, by what they write
into timing.jsonl themselves: the seconds of all their saves over their training seconds. The second table saves a
state of tensors (weights and momentum, half each) with the same store, fsync and all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from _measure import machine

from lrsched.checkpoint.store import Store

ROOT = Path(__file__).resolve().parent.parent
RUNS = {
    "mlp, 26 kB of weights": ["model=mlp"],
    "mlp of 2 x 512, 1.2 MB": ["model=mlp", "model.hidden=[512,512]"],
    "cnn": ["model=cnn"],
}
SIZES = (0.1, 1.0, 10.0, 100.0)


def share(folder: Path, number: int, options: list[str]) -> tuple[float, int, float]:
    """Seconds of saving over seconds of training, the number of saves, and the longest time between two."""
    name = f"run{number}"
    command = [sys.executable, str(ROOT / "train.py"), f"name={name}", "threads=1", "trainer.progress=false", *options]
    subprocess.run(command, capture_output=True, check=True, cwd=folder)
    run = folder / "outputs" / name
    rows = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    saves = [row for row in rows if row["event"] == "save"]
    gaps = [after["time"] - before["time"] for before, after in pairwise(saves)]
    seconds = json.loads((run / "result.json").read_text())["train_seconds"]
    return sum(row["seconds"] for row in saves) / seconds, len(saves), max(gaps)


def one_save(folder: Path, megabytes: float, number: int) -> float:
    """Seconds of one durable save of a state of this size."""
    half = torch.randn(int(megabytes * 1e6 / 8))
    start = time.perf_counter()
    Store(folder).save(number, {"model": {"w": half}, "optimizer": {"m": half.clone()}}, {})
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--epochs", type=int, default=300)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    shares: dict[str, list[tuple[float, int, float]]] = {name: [] for name in RUNS}
    saves: dict[float, list[float]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.rounds):
            for index, (name, overrides) in enumerate(RUNS.items()):
                more = [*overrides, f"trainer.epochs={options.epochs}"]
                shares[name].append(share(Path(scratch), number * len(RUNS) + index, more))
            for size in SIZES:
                saves[size].append(one_save(Path(scratch) / f"size-{size}", size, number))
    print(machine(), "", "| run | saving / training | worst | saves | longest interval s | n |", sep="\n")
    print("|---|---|---|---|---|---|")
    for name, found in shares.items():
        parts, counts, gaps = zip(*found, strict=True)
        middle = f"**{statistics.median(parts):.3f}** | {max(parts):.3f} | {statistics.median(counts):.0f}"
        print(f"| {name} | {middle} | {max(gaps):.2f} | {len(found)} |")
    print("", "| state | one save, median ms | min–max | n |", "|---|---|---|---|", sep="\n")
    for size, found in saves.items():
        low, high = min(found) * 1e3, max(found) * 1e3
        print(f"| {size:g} MB | {statistics.median(found) * 1e3:.1f} | {low:.1f}–{high:.1f} | {len(found)} |")


if __name__ == "__main__":
    main()
