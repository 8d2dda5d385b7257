"""A run beside a busy program: the default MNIST MLP undisturbed, and with one other program that never rests.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/neighbour.py --pairs 7

Each run is a command of its own, as a user types it. Undisturbed and disturbed ones take turns, and the order changes
from pair to pair. The neighbour is a loop in a process of its own, in a session of its own (which the scheduler of
Linux counts as another user's), ends with its run, and at the latest after a minute. What is compared is
``train_seconds`` of ``result.json``: the updates, rows and saves, not the start of Python. ``--as-before`` leaves
threads to torch and its waiting to OpenMP.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from _measure import machine, table

ROOT = Path(__file__).resolve().parent.parent

LONGEST = 60
"""Seconds after which a neighbour ends, whatever happened to who started it."""

BUSY = f"import time\nend = time.monotonic() + {LONGEST}\nwhile time.monotonic() < end: pass"


@contextmanager
def neighbour() -> Generator[None]:
    """A program that wants one processor all the time."""
    process = subprocess.Popen([sys.executable, "-S", "-c", BUSY], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def trained(folder: Path, words: list[str], environment: Mapping[str, str]) -> tuple[float, str]:
    """Seconds of one run, and the threads that it had."""
    command = [sys.executable, str(ROOT / "train.py"), *words, "trainer.progress=false"]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    result = json.loads((folder / "outputs" / words[0].removeprefix("name=") / "result.json").read_text())
    return result["train_seconds"], str(result["fingerprint"]["threads"])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--root", default=os.environ.get("LRSCHED_DATA", "data"), help="holds MNIST/raw")
    arguments.add_argument("--pairs", type=int, default=7)
    arguments.add_argument("--epochs", type=int, default=1)
    arguments.add_argument("--model", default="mlp")
    arguments.add_argument("--as-before", action="store_true", help="threads=null, and OpenMP waits as it likes")
    options = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # no neighbour is left behind
    root = Path(options.root).resolve()
    words = [f"model={options.model}", "dataset=mnist", f"dataset.root={root}", f"trainer.epochs={options.epochs}"]
    environment = dict(os.environ)
    if options.as_before:
        words.append("threads=null")
        environment["GOMP_SPINCOUNT"] = "300000"  # what GNU's OpenMP has where nobody says it
    seconds: dict[str, list[float]] = {"undisturbed": [], "one busy neighbour": []}
    threads = set[str]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trained(folder, ["name=warm", *words], environment)  # files into memory, modules compiled
        for number in range(options.pairs):
            for busy in (False, True) if number % 2 == 0 else (True, False):
                run = [f"name={number}{'b' if busy else 'a'}", *words]
                if busy:
                    with neighbour():
                        took, had = trained(folder, run, environment)
                else:
                    took, had = trained(folder, run, environment)
                seconds["one busy neighbour" if busy else "undisturbed"].append(took)
                threads.add(had)
    print(machine(), f"threads of the runs: {', '.join(sorted(threads))}", table(seconds, "undisturbed"), sep="\n\n")


if __name__ == "__main__":
    main()
