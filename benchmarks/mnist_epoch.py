"""One epoch of MNIST with a 784-128-10 MLP, batch 128: lrsched against a bare loop written by hand.

    LRSCHED_DATA=/where/MNIST/is python benchmarks/mnist_epoch.py --rounds 21 --threads 1

Both train on the same 54,000 images in memory and evaluate on the same 6,000 at the end. The bare loop has
nothing else: no schedule, no log, no checkpoint. lrsched is the whole trainer as ``python train.py`` runs it: rows
of metrics.jsonl and TensorBoard, gradient norms, seeds for every step, the schedule, an evaluation seen by the
scheduler; with two checkpoints (first and last step), and without.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from _config import composed
from _measure import interleaved, machine, table
from torch.nn.functional import cross_entropy

from lrsched.assembly.parts import Parts, assemble
from lrsched.checkpoint.store import Store
from lrsched.config.settings import settings
from lrsched.data.loader import Loader
from lrsched.loggers import TensorBoard
from lrsched.loggers.base import RunInfo
from lrsched.models import MLP
from lrsched.records import RunFolder
from lrsched.signals import StopFlag
from lrsched.train.environment import prepare
from lrsched.train.evaluate import evaluate
from lrsched.train.journal import Journal
from lrsched.train.loop import Trainer


def bare_epoch(parts: Parts) -> Callable[[], object]:
    """The loop that one writes by hand when speed is all that matters."""
    assert isinstance(parts.loader, Loader)
    x, y = parts.loader._data
    mean, std = float(x.float().mean()), float(x.float().std())
    model = MLP(input_shape=(1, 28, 28), classes=10, hidden=(128,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def epoch() -> None:
        order = torch.randperm(len(y))
        for start in range(0, len(y), 128):
            index = order[start : start + 128]
            batch = x[index].float().sub_(mean).div_(std)
            loss = cross_entropy(model(batch), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            for batch, labels in parts.validation:
                logits = model(batch)
                cross_entropy(logits, labels).item()
                (logits.argmax(1) == labels).sum().item()

    return epoch


def lrsched_epoch(parts: Parts, config: dict, scratch: Path, *, save: bool) -> Callable[[], object]:
    """A whole run of one epoch, as ``python train.py`` makes it once its parts are built."""
    folder = RunFolder(Path(tempfile.mkdtemp(dir=scratch)))
    logger = TensorBoard()
    horizon = parts.horizon
    logger.open(RunInfo(folder.path, config, horizon.steps, horizon.steps_per_epoch, parts.loader.samples_per_step))
    store = Store(folder.checkpoints) if save else NoStore(folder.checkpoints)
    look = partial(evaluate, parts.state.model, parts.validation, parts.task, parts.precision, "val")

    def epoch() -> None:
        journal = Journal(folder, [logger])
        with StopFlag() as stop:
            Trainer(
                state=parts.state,
                update=parts.update,
                evaluate=look,
                horizon=horizon,
                timetable=parts.timetable,
                store=store,
                journal=journal,
                about={},
                stop=stop,
            ).run()
        journal.close(parts.state.metrics, "finished")

    return epoch


class NoStore(Store):
    """Keeps nothing: to see what the checkpoints cost."""

    def save(self, step: int, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
        return self.folder


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--root",
        default=os.environ.get("LRSCHED_DATA", "data"),
        help="folder that holds MNIST/raw; by default $LRSCHED_DATA, or else data/",
    )
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    prepare("cpu", options.threads, deterministic=True)
    overrides = ["name=b", "dataset=mnist", f"dataset.root={options.root}", "model=mlp", "trainer.epochs=1"]
    config = composed(*overrides)
    with tempfile.TemporaryDirectory() as scratch:

        def parts() -> Parts:
            return assemble(settings(config), torch.device("cpu"))

        candidates = {
            "bare loop": lambda: bare_epoch(parts()),
            "lrsched, without checkpoints": lambda: lrsched_epoch(parts(), config, Path(scratch), save=False),
            "lrsched, all of it": lambda: lrsched_epoch(parts(), config, Path(scratch), save=True),
        }
        seconds = interleaved(candidates, options.rounds)
    print(machine(), table(seconds, "bare loop"), sep="\n\n")


if __name__ == "__main__":
    main()
