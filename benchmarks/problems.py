"""What the embedded problems' experiments reach on test data, beside a simple answer on the same split.

    python benchmarks/problems.py --outputs outputs/problems
    python benchmarks/problems.py --only diabetes,cancer --splits 5

For each ``dataset.split_seed`` a run of ``experiment=NAME`` as the command line makes it, and beside it on the same
training and test samples: for diabetes ridge regression, its strength chosen by cross-validation of the training part;
for cancer logistic regression; for bytes and picture a loop written by hand: the same network, batch size and number
of updates, Adam's usual rate of 0.001, no schedule. With ``--outputs`` finished runs stay, and are not trained again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _config import composed
from _measure import machine
from _sweeps import TRAIN, run

from lrsched.assembly.data import chosen_transform, load_data
from lrsched.assembly.parts import assemble
from lrsched.assembly.task import task_of
from lrsched.config.settings import Settings, settings
from lrsched.data.loader import order
from lrsched.train.environment import prepare
from lrsched.train.evaluate import evaluate

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Problem:
    """An experiment, the metric that it is judged by, and the answer that it has to beat."""

    metric: str
    scale: float
    unit: str
    beside: str
    answer: Callable[[Settings], float]


def ridge(run: Settings) -> float:
    """Test rmse of ridge regression."""
    from sklearn.linear_model import RidgeCV

    (x, y), (test_x, test_y) = standardised(run)
    predicted = RidgeCV(alphas=np.logspace(-2, 4, 31)).fit(x, y).predict(test_x)
    return float(np.sqrt(np.mean((predicted - test_y) ** 2)))


def logistic(run: Settings) -> float:
    """Test accuracy of logistic regression."""
    from sklearn.linear_model import LogisticRegression

    (x, y), (test_x, test_y) = standardised(run)
    return float(np.mean(LogisticRegression(max_iter=1000).fit(x, y).predict(test_x) == test_y))


def standardised(run: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test part of a run as its model gets them, float64."""
    splits, _ = load_data(run)
    transform = chosen_transform(run, splits, task_of(run.task, splits.facts), CPU)
    parts = [transform(part) for part in (splits.train, splits.test)]
    return [(part[0].double().numpy(), part[1].double().numpy()) for part in parts]


def bare_loop(metric: str) -> Callable[[Settings], float]:
    """A test metric of the run's network after a loop by hand."""

    def answer(run: Settings) -> float:
        parts = assemble(run, CPU)
        model, task, size = parts.state.model, parts.task, run.dataset.own.batch_size
        data = load_data(run)[0].train
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        step = epoch = 0
        while step < parts.horizon.steps:
            for numbers in order(run.seed, epoch, len(data[0])).split(size)[: parts.horizon.steps - step]:
                loss = task.loss(model, tuple(column[numbers] for column in data))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
            epoch += 1
        return evaluate(model, parts.test, task, parts.precision, "test")[f"test/{metric}"]

    return answer


PROBLEMS = {
    "diabetes": Problem("rmse", 1.0, "points", "ridge regression", ridge),
    "cancer": Problem("accuracy", 100.0, "%", "logistic regression", logistic),
    "picture": Problem("psnr", 1.0, "dB", "bare loop", bare_loop("psnr")),
    "bytes": Problem("bits_per_byte", 1.0, "bits a byte", "bare loop", bare_loop("bits_per_byte")),
}


def trained(outputs: Path, name: str, split: int, threads: int) -> tuple[dict[str, float], float]:
    """Metrics and seconds of a run, which is made unless it has finished before."""
    result = outputs / "outputs" / f"{name}-{split}" / "result.json"
    if not result.exists() or json.loads(result.read_text("utf-8"))["status"] != "finished":
        words = (f"experiment={name}", f"dataset.split_seed={split}", f"threads={threads}", f"name={name}-{split}")
        run([sys.executable, TRAIN, *words, "trainer.progress=false", "logger=none"], str(outputs))
    found = json.loads(result.read_text("utf-8"))
    return found["metrics"], found["train_seconds"]


def configured(name: str, split: int) -> Settings:
    """The settings of an experiment."""
    return settings(composed(f"experiment={name}", f"dataset.split_seed={split}", "name=beside"))


def measured(outputs: Path, name: str, splits: int, threads: int) -> str:
    """Lines of a Markdown table: one a split, and the mean."""
    problem = PROBLEMS[name]
    lines, ours, theirs = [], [], []
    for split in range(splits):
        metrics, seconds = trained(outputs, name, split, threads)
        began = time.perf_counter()
        theirs.append(problem.scale * problem.answer(configured(name, split)))
        ours.append(problem.scale * metrics[f"test/{problem.metric}"])
        beside = time.perf_counter() - began
        lines.append(f"| {name} | {split} | {ours[-1]:.4g} | {seconds:.1f} | {theirs[-1]:.4g} | {beside:.1f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    means = [f"**{statistics.fmean(values):.4g}**" for values in (ours, theirs)]
    lines.append(f"| {name}, {problem.unit}; beside it {problem.beside} | mean | {means[0]} | | {means[1]} | |")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(PROBLEMS), help="experiments, with commas between")
    arguments.add_argument("--splits", type=int, default=5, help="split_seed from 0 to one less")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--outputs", type=Path, help="where runs stay; by default they are thrown away")
    options = arguments.parse_args()
    prepare("cpu", options.threads, deterministic=True)
    head = "| | split_seed | lrsched, test | s | beside it | s |\n|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as scratch:
        outputs = options.outputs or Path(scratch)
        outputs.mkdir(parents=True, exist_ok=True)
        tables = [measured(outputs, name, options.splits, options.threads) for name in options.only.split(",")]
    print(machine(), "\n".join([head, *tables]), sep="\n\n")


if __name__ == "__main__":
    main()
