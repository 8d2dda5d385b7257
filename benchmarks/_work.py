"""What the loops of ``bare.py`` train: one network from the same weights, on the same samples, by one recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import Any

import torch
from _config import composed
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lrsched.assembly.parts import Parts, assemble
from lrsched.config.settings import settings
from lrsched.data.loader import Loader
from lrsched.train.evaluate import evaluate

WORDS: dict[str, tuple[str, ...]] = {
    "mlp": ("dataset=mnist", "model=mlp"),
    "cnn": ("dataset=mnist", "model=cnn"),
    "gpt": ("experiment=bytes", "scheduler.warmup=5st", "dataset.validation=0.01"),
}
"""The command line of each workload, without its length."""

STEPS = {"mlp": 844, "cnn": 211, "gpt": 50}
"""Updates of a timed round: two epochs, half of one, and some."""

LEARNING = {"mlp": 2532, "cnn": 844}
"""Updates of a run to an accuracy: six epochs, and two."""

LOOK = 106
"""Updates between two evaluations on the way to an accuracy: a quarter of an epoch."""


class Stopwatch:
    """Seconds of the clock and of the processor since it was made, without its pauses."""

    def __init__(self) -> None:
        self._away = (0.0, 0.0)
        self._start = self._now()

    def seconds(self) -> tuple[float, float]:
        """Of the clock, and of the processor."""
        wall, cpu = self._now()
        return wall - self._start[0] - self._away[0], cpu - self._start[1] - self._away[1]

    @contextmanager
    def paused(self) -> Iterator[float]:
        """Stand still in this context, which is given the seconds of the clock."""
        wall, cpu = self._now()
        yield wall - self._start[0] - self._away[0]
        now = self._now()
        self._away = self._away[0] + now[0] - wall, self._away[1] + now[1] - cpu

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


@dataclass
class Work:
    """A workload: its parts as lrsched builds them, and what other loops need of them.

    Args:
        parts: of the run; ``model`` and the optimizer's arguments are theirs.
        config: of the run.
        steps: updates.
        aim: an accuracy on the test part, looked for every :data:`LOOK` updates; or None.
        clock: started where the training starts.
        reached: seconds at which the aim was first seen to be reached.
    """

    parts: Parts
    config: dict[str, Any]
    steps: int
    aim: float | None
    clock: Stopwatch = field(default_factory=Stopwatch)
    reached: float = math.nan

    @property
    def model(self) -> nn.Module:
        return self.parts.state.model

    @property
    def batch_size(self) -> int:
        return self.parts.loader.batch_size

    @cached_property
    def columns(self) -> tuple[Tensor, ...]:
        """Training samples as the network takes them, made before a clock starts: float32 and labels, or tokens."""
        loader = self.parts.loader
        assert isinstance(loader, Loader)
        raw = loader._data
        return (raw[0].long(),) if len(raw) == 1 else loader._transform(raw)

    @property
    def clip_norm(self) -> float | None:
        return self.config["trainer"]["clip_norm"]

    def rates(self) -> list[float]:
        """The learning rate of each update, of every group."""
        return self.parts.state.scheduler.values()[0, "lr", None].tolist()  # type: ignore[reportAttributeAccessIssue]

    def optimizer(self) -> torch.optim.Optimizer:
        """The recipe's optimizer with the arguments and groups of ours, as torch makes it: no fused kernel."""
        ours = self.parts.state.optimizer
        groups = [{"params": g["params"], "weight_decay": g["weight_decay"]} for g in ours.param_groups]
        taken = signature(type(ours)).parameters
        return type(ours)(groups, **{name: value for name, value in ours.defaults.items() if name in taken})

    def schedule(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
        """The rates as torch's scheduler, for loops whose template has one."""
        rates, peak = self.rates(), optimizer.param_groups[0]["lr"]
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rates[min(s, len(rates) - 1)] / peak)

    def loss(self, model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor | None = None) -> Tensor:
        """Mean cross-entropy of labels, or of the next tokens."""
        if y is None:
            return cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        return cross_entropy(model(x), y)

    def start(self) -> None:
        """Start the clock."""
        self.clock = Stopwatch()

    def look(self, step: int) -> None:
        """After an update: where it is time, evaluate outside the clock."""
        if self.aim is not None and step % LOOK == 0:
            with self.clock.paused() as seconds:
                self.test(seconds)

    def test(self, seconds: float) -> None:
        """Evaluate on the test part; remember the seconds if the aim is reached for the first time."""
        p = self.parts
        accuracy = evaluate(self.model, p.test, p.task, p.precision, "test")["test/accuracy"]
        if self.aim is not None and accuracy >= self.aim and math.isnan(self.reached):
            self.reached = seconds

    def samples(self) -> int:
        """Samples that the updates see."""
        loader = self.parts.loader
        epochs, rest = divmod(self.steps, loader.steps_per_epoch)
        return epochs * loader.samples + min(rest * self.batch_size, loader.samples)


def work(name: str, steps: int, seed: int, root: str, aim: float | None) -> Work:
    """Build a workload.

    Args:
        name: of it.
        steps: updates.
        seed: of the run.
        root: folder that holds MNIST/raw.
        aim: accuracy to reach, or None.
    """
    every = "100%" if aim is None else f"{LOOK}st"
    length = (f"trainer.steps={steps}", f"trainer.evaluate_every={every}", "trainer.show_every=null", f"seed={seed}")
    where = () if name == "gpt" else (f"dataset.root={root}",)
    config = composed("name=b", *WORDS[name], *where, *length)
    return Work(assemble(settings(config), torch.device("cpu")), config, steps, aim)
