"""A snapshot ensemble against its own last snapshot, and against a single cosine of the same length, on MNIST.

    LRSCHED_DATA=/where/MNIST/is OMP_NUM_THREADS=1 python benchmarks/snapshots.py --outputs outputs/snapshots

The convolutional network of ``model=cnn`` on a tenth of the training images, drawn anew with each seed: the same number
of updates, batch size and optimizer for both schedules. Of several ``--rates`` each trains at the one that was best for
it on the validation part with a seed of its own; that of the ensemble is chosen by the ensemble. Differences are paired
by seed, with the interval of Student's t. Finished runs stay in ``--outputs`` and are not trained again.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _measure import machine

import lrsched

OF = {
    "ensemble": ("snapshot", "ensemble/"),
    "last snapshot": ("snapshot", ""),
    "single cosine": ("cosine", ""),
}
"""The schedule of each candidate, and what stands before its metrics."""

TUNING = 100
"""The seed that chooses the rates."""


def made(scheduler: str, rate: float, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The result of a run: made now, or read."""
    name = f"{scheduler}-{rate}-{seed}"
    folder = Path("outputs", name)
    if folder.exists():
        found = lrsched.load(folder).result
        if found.get("status") == "finished":
            return found
        return lrsched.run([f"resume={folder}"]).result
    words = (
        f"name={name}",
        f"scheduler={scheduler}",
        *([f"scheduler.cycles={options.cycles}"] if scheduler == "snapshot" else []),
        f"optimizer.lr={rate}",
        f"seed={seed}",
        f"dataset.split_seed={seed}",
        "dataset=mnist",
        f"dataset.root={options.data}",
        "dataset.validation=0.9",
        "model=cnn",
        f"trainer.epochs={options.epochs}",
        "trainer.evaluate_every=100%",
        "trainer.limit_eval_batches=10",  # 10,240 samples: the whole test part
        "trainer.progress=false",
        "logger=none",
        "threads=1",
    )
    return lrsched.run(words).result


def best(scheduler: str, before: str, options: argparse.Namespace) -> float:
    """The rate with the least loss on the validation part; a single one is not tried."""
    if len(options.rates) == 1:
        return options.rates[0]
    tried = {rate: made(scheduler, rate, TUNING, options)["metrics"] for rate in options.rates}
    return min(tried, key=lambda rate: tried[rate][f"val/{before}loss"])


def row(name: str, values: Sequence[float], text: Callable[[float], str]) -> str:
    """A candidate: its mean, and its value for each seed."""
    return f"| {name} | **{text(float(np.mean(values)))}** | {' | '.join(map(text, values))} |"


def against(name: str, values: Sequence[float], others: Sequence[float], text: Callable[[float], str]) -> str:
    """The ensemble minus another candidate, with the 95 % interval of the mean of paired differences."""
    from scipy.stats import t

    apart = np.subtract(values, others)
    half = t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
    return f"| {name} | {text(apart.mean())} | {text(apart.mean() - half)} to {text(apart.mean() + half)} |"


def tables(found: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> str:
    """Both metrics of the test part, and the differences."""
    lines: list[str] = []
    for metric, text in {"accuracy": lambda v: f"{100 * v:.2f}", "loss": lambda v: f"{v:.4f}"}.items():
        values = {
            name: [result["metrics"][f"test/{before}{metric}"] for result in found[name]]
            for name, (_, before) in OF.items()
        }
        unit = "%" if metric == "accuracy" else "nats"
        lines += [
            f"| test {metric}, {unit} | mean | {' | '.join(f'seed {s}' for s in range(options.seeds))} |",
            "|---" * (options.seeds + 2) + "|",
            *(row(name, each, text) for name, each in values.items()),
            "",
            f"| ensemble minus, {unit} | mean | 95 % interval (paired t) |",
            "|---|---|---|",
            *(against(name, values["ensemble"], values[name], text) for name in list(OF)[1:]),
            "",
        ]
    counts = range(1, options.cycles + 1)
    lasts = [result["snapshots"]["test"]["last"] for result in found["ensemble"]]
    singles = [result["snapshots"]["test"]["single"] for result in found["ensemble"]]

    def means(of: list[list[dict[str, Any]]], name: str, scale: float, form: str) -> str:
        cells = [
            format(scale * np.mean([each[m - 1][name] for each in of]), form) if name in of[0][m - 1] else ""
            for m in counts
        ]
        return " | ".join(cells)

    return "\n".join(
        [
            *lines,
            f"| mean over the seeds | {' | '.join(f'{m}' for m in counts)} |",
            "|---" * (options.cycles + 1) + "|",
            f"| accuracy of snapshot m, % | {means(singles, 'accuracy', 100, '.2f')} |",
            f"| accuracy of the last m together, % | {means(lasts, 'accuracy', 100, '.2f')} |",
            f"| loss of the last m together, nats | {means(lasts, 'loss', 1, '.4f')} |",
            f"| decided otherwise by two of the last m, % | {means(lasts, 'disagreement', 100, '.2f')} |",
        ]
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--outputs", type=Path, default=Path("outputs/snapshots"), help="where the runs lie")
    arguments.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("LRSCHED_DATA", "data")),
        help="folder that holds MNIST/raw; by default $LRSCHED_DATA, or else data/",
    )
    arguments.add_argument("--seeds", type=int, default=6)
    arguments.add_argument("--epochs", type=int, default=6)
    arguments.add_argument("--cycles", type=int, default=3)
    arguments.add_argument("--rates", type=float, nargs="+", default=[0.1])
    options = arguments.parse_args()
    options.data = options.data.resolve()
    options.outputs.mkdir(parents=True, exist_ok=True)
    os.chdir(options.outputs)
    began, rates, found = time.process_time(), dict[str, float](), dict[str, list[dict[str, Any]]]()
    for name, (scheduler, before) in OF.items():
        rates[name] = best(scheduler, before, options)
    rates["last snapshot"] = rates["ensemble"]  # of the very run
    for name, (scheduler, _) in OF.items():
        found[name] = [made(scheduler, rates[name], seed, options) for seed in range(options.seeds)]
    print(machine(), tables(found, options), sep="\n\n")
    chosen = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
    print(f"\nRates: {chosen}. {time.process_time() - began:.0f} seconds of the processor.")


if __name__ == "__main__":
    main()
