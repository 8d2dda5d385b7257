"""How much memory a run takes, against the same loop written by hand; and whether it grows over the epochs.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/memory.py --rounds 7
    LRSCHED_DATA=/where/MNIST/is python benchmarks/memory.py --grows 50

Every figure is the peak of the resident memory of a fresh process (``VmHWM``), Python, torch and data included. The
loop by hand (``benchmarks/_by_hand.py``) has torch, float tensors (bytes for text), ``x[j]`` by a permutation, an
optimizer and an evaluation at the end, and nothing else. Ours is ``train.py`` with all that it does by default. Both
have the same models, batches and numbers of steps.

``--grows N`` asks the C library at the end of each of N epochs how many bytes it has handed out and not got back
(``mallinfo2``: Python's arenas and torch's tensors among them), and reads the resident memory that is no file's
(``RssAnon``). The latter moves by some MiB with what the library keeps free, and says nothing about growth. The growth
of a run is the mean of its last quarter less that of its second one, and the interval is that of the runs' mean.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean

from _measure import machine, table

from lrsched.report.stats import interval

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
import ctypes, sys
import lrsched
import lrsched.train.loop as loop
names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
fields = [(name, ctypes.c_size_t) for name in names.split()]
library = ctypes.CDLL("libc.so.6")
library.mallinfo2.restype = type("Info", (ctypes.Structure,), {"_fields_": fields})
out, *words = sys.argv[1:]
evaluate = loop.Trainer._evaluate_now
def then_look(self):
    evaluate(self)
    lines = open("/proc/self/status").read().splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    info = library.mallinfo2()
    open(out, "a").write(f"{(info.uordblks + info.hblkhd) / 2**20} {kib / 1024}\\n")
loop.Trainer._evaluate_now = then_look
lrsched.run(words)
"""


def growth(root: Path, epochs: int, rounds: int) -> None:
    """Print how the memory of some runs grew between the second and the last quarter of their epochs."""
    words = ["model=mlp", "dataset=mnist", f"dataset.root={root}", "trainer.limit_batches=50", "name=grows"]
    words += [f"trainer.epochs={epochs}", "trainer.progress=false"]
    found: dict[str, list[float]] = {"handed out": [], "resident": []}
    quarter = epochs // 4
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch, "resident")
            command = [sys.executable, "-c", EACH_EPOCH, str(out), *words, f"seed={number}"]
            subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
            rows = [[float(word) for word in line.split()] for line in out.read_text().splitlines()]
        for (name, grown), sizes in zip(found.items(), zip(*rows, strict=True), strict=True):
            grown.append(fmean(sizes[-quarter:]) - fmean(sizes[quarter : 2 * quarter]))
            first, middle, last = (f"{sizes[epoch - 1]:.2f}" for epoch in (1, epochs // 2, epochs))
            print(f"{name} after epoch 1, {epochs // 2}, {epochs}: {first}, {middle}, {last} MiB", flush=True)
    for name, grown in found.items():
        low, high = interval(grown)
        told = f"{fmean(grown):.2f} MiB, 95 % interval {low:.2f} to {high:.2f}, n {rounds}"
        print(f"growth over {epochs // 2} epochs, {name}: {told}")


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
        growth(root, options.grows, options.rounds)


if __name__ == "__main__":
    main()
