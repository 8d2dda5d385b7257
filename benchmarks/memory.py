"""How much memory a run takes, against the same loop written by hand; and whether it grows over the epochs.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/memory.py --rounds 7
    LRSCHED_DATA=/where/MNIST/is python benchmarks/memory.py --grows 50

Every figure is the peak of the resident memory of a fresh process (``VmHWM``), Python, torch and data included. The
loop by hand (``benchmarks/_by_hand.py``) has torch, float tensors (bytes for text), ``x[j]`` by a permutation, an
optimizer and an evaluation at the end, and nothing else. Ours is ``train.py`` with all that it does by default. Both
have the same models, batches and numbers of steps.

``--grows N`` reads the resident memory at the end of each of N epochs of a small run, and prints the slope over its
second half, with the 95 % interval of a straight line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from _measure import machine, table

HERE = Path(__file__).resolve().parent

WATCHED = """
import atexit, runpy, sys
def write():
    lines = open("/proc/self/status").read().splitlines()
    open(out, "w").write(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
out, *sys.argv = sys.argv[1:]
sys.path[0] = sys.argv[0].rpartition("/")[0]
atexit.register(write)
runpy.run_path(sys.argv[0], run_name="__main__")
"""

RUNS = {
    "mlp": ["model=mlp", "dataset=mnist", "trainer.epochs=1"],
    "cnn": ["model=cnn", "dataset=mnist", "trainer.steps=40", "trainer.limit_eval_batches=2"],
    "gpt": [
        *("dataset=python_source", "task=language_model", "model=gpt", "dataset.batch_size=16"),
        *("dataset.eval_batch_size=64", "trainer.steps=20", "trainer.limit_eval_batches=2"),
    ],
}
"""A run of each kind, in words; the loops by hand have the same lengths."""


def peak(program: list[str], folder: Path) -> float:
    """The largest resident memory of a program, in MiB."""
    out = folder / "peak"
    command = [sys.executable, "-c", WATCHED, str(out), *program]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return int(out.read_text()) / 1024


def peaks(root: Path, rounds: int, kinds: list[str]) -> None:
    """Print a table for each model."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for kind in kinds:
            data = folder / f"{kind}.pt"
            subprocess.run([sys.executable, str(HERE / "_by_hand.py"), "write", kind, str(data), str(root)], check=True)
            found: dict[str, list[float]] = {"loop by hand": [], "lrsched": []}
            for number in range(rounds):
                words = [*RUNS[kind], f"name={kind}{number}", "trainer.progress=false"]
                if kind != "gpt":
                    words.append(f"dataset.root={root}")
                found["loop by hand"].append(peak([str(HERE / "_by_hand.py"), "train", kind, str(data)], folder))
                found["lrsched"].append(peak([str(HERE.parent / "train.py"), *words], folder))
            print(f"\n{kind}: MiB\n\n{table(found, 'loop by hand', digits=0)}", flush=True)


EACH_EPOCH = """
import lrsched.train.loop as loop
out, *words = sys.argv[1:]
evaluate = loop.Trainer._evaluate_now
def then_look(self):
    evaluate(self)
    pages = int(open("/proc/self/statm").read().split()[1])
    open(out, "a").write(f"{pages * resource.getpagesize() / 2**20}\\n")
loop.Trainer._evaluate_now = then_look
"""


def growth(root: Path, epochs: int) -> None:
    """Print the resident memory over the epochs of a run, and its slope."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "resident")
        start = f"import resource, sys{EACH_EPOCH}import lrsched\nlrsched.run(words)"
        words = ["model=mlp", "dataset=mnist", f"dataset.root={root}", "dataset.train_samples=6000", "name=grows"]
        words += [f"trainer.epochs={epochs}", "trainer.progress=false"]
        command = [sys.executable, "-c", start, str(out), *words]
        subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        sizes = [float(line) for line in out.read_text().split()]
    later = sizes[len(sizes) // 2 :]
    slope, half = straight(later)
    first, middle, last = sizes[0], later[0], sizes[-1]
    print(f"resident memory in MiB after epoch 1: {first:.1f}, {epochs // 2}: {middle:.1f}, {epochs}: {last:.1f}")
    print(f"slope over the second half: {slope:.3f} ± {half:.3f} MiB an epoch (95 %, n {len(later)})")


def straight(values: Sequence[float]) -> tuple[float, float]:
    """The slope of a straight line through values, and half its 95 % interval (normal)."""
    n, mean = len(values), fmean(values)
    places = [i - (n - 1) / 2 for i in range(n)]
    square = sum(place**2 for place in places)
    slope = sum(place * value for place, value in zip(places, values, strict=True)) / square
    rest = sum((value - mean - slope * place) ** 2 for place, value in zip(places, values, strict=True))
    return slope, 1.96 * (rest / (n - 2) / square) ** 0.5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--root", default=os.environ.get("LRSCHED_DATA", "data"), help="holds MNIST/raw")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--only", default=",".join(RUNS))
    arguments.add_argument("--grows", type=int, metavar="EPOCHS")
    options = arguments.parse_args()
    print(machine())
    root = Path(options.root).resolve()
    if options.grows is None:
        peaks(root, options.rounds, options.only.split(","))
    else:
        growth(root, options.grows)


if __name__ == "__main__":
    main()
