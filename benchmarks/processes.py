"""What lanes and processes cost: the time of an update, and the memory, of one run in each form.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/processes.py --rounds 7

Seconds are those of the run's own clock (``train_seconds`` of ``result.json`` without evaluations and saves, from
``timing.jsonl``), over all updates. The memory is the peak of rank 0 (``VmHWM``), Python, torch and data included; each
further process has about as much. All runs have one torch thread a process, but for the one that has two.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from _measure import machine, table
from memory import HERE, peak

RUNS: Mapping[str, Sequence[str]] = {
    "cnn": ("model=cnn", "dataset=mnist", "trainer.steps=120", "trainer.limit_eval_batches=2"),
    "gpt": ("experiment=bytes", "scheduler.warmup=4st", "trainer.steps=30", "trainer.limit_eval_batches=2"),
}
FORMS: Mapping[str, Sequence[str]] = {
    "one process, one thread": ("threads=1",),
    "lanes of 4": ("threads=1", "trainer.lanes=4"),
    "one process, two threads": ("threads=2",),
    "two processes": ("threads=1", "trainer.processes=2"),
    "two processes, lanes of 4": ("threads=1", "trainer.processes=2", "trainer.lanes=4"),
}


def taken(folder: Path, name: str, words: Sequence[str]) -> tuple[float, float]:
    """Milliseconds of an update, and MiB of rank 0, of one run."""
    memory = peak([str(HERE.parent / "train.py"), *words, f"name={name}", "trainer.progress=false"], folder)
    run = folder / "outputs" / name
    rows = [json.loads(line) for line in (run / "timing.jsonl").read_text("utf-8").splitlines()]
    beside = sum(row["seconds"] for row in rows if row["event"] in ("evaluate", "save"))
    result = json.loads((run / "result.json").read_text("utf-8"))
    return 1e3 * (result["train_seconds"] - beside) / result["step"], memory


def main() -> None:
    """Print two tables for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", nargs="+", default=[*RUNS], choices=[*RUNS])
    asked = parser.parse_args()
    root = os.environ.get("LRSCHED_DATA", "data")
    print(machine())
    for model in asked.model:
        times: dict[str, list[float]] = {form: [] for form in FORMS}
        peaks: dict[str, list[float]] = {form: [] for form in FORMS}
        with tempfile.TemporaryDirectory() as scratch:
            for number in range(asked.rounds):
                for place, (form, words) in enumerate(FORMS.items()):
                    data = [f"dataset.root={Path(root).resolve()}"] if model == "cnn" else []
                    time, memory = taken(Path(scratch), f"{number}-{place}", [*RUNS[model], *data, *words])
                    times[form].append(time)
                    peaks[form].append(memory)
        print(f"\n{model}: ms an update\n\n{table(times, next(iter(FORMS)), digits=1)}")
        print(f"\n{model}: MiB of rank 0\n\n{table(peaks, next(iter(FORMS)), digits=0)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
