"""A setting that is timed: the parts of a run with it, and updates that do its work and change nothing.

A run is timed before it is known to be a good one. So every rate is zero, the weights of the start are put back after
each turn, and no number is judged: a rate, a model or a sample that would end the run decides nothing here.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lrsched.assembly.parts import Parts
from lrsched.config.blame import raised
from lrsched.config.settings import Settings
from lrsched.errors import Stopped, UserError
from lrsched.fast.figures import Tried
from lrsched.schedulers.base import Scheduler
from lrsched.train.state import RunState
from lrsched.train.update import Update


class Unusable(Exception):
    """An update with some values failed: with their words, and why."""

    def __init__(self, words: str, reason: str) -> None:
        super().__init__(words, reason)
        self.words, self.reason = words, reason


@dataclass(frozen=True)
class Candidate:
    """Values to try, the parts of a run with them, and the weights to begin each turn with."""

    values: dict[str, Any]
    parts: Parts
    update: Update
    weights: list[Tensor]

    @classmethod
    def of(cls, values: dict[str, Any], run: Settings, parts: Parts, device: torch.device) -> Candidate:
        """Take the parts for timing alone.

        Args:
            values: to try.
            run: the settings with them.
            parts: of these settings; their rates are zero from now on.
            device: where the model is.
        """
        parts.state.scheduler = AtRest(parts.state.optimizer)
        skip, clip_norm = run.trainer.on_nonfinite == "skip", run.trainer.clip_norm
        steps = {"seed": run.seed, "device": device, "clip_norm": clip_norm, "skip": skip}
        update = Unjudged(parts.loader, parts.task, parts.precision, **steps)
        return cls(values, parts, update, [weight.detach().clone() for weight in parts.state.model.parameters()])

    @property
    def words(self) -> str:
        """The values as one says them."""
        return Tried(self.values).words

    def put_back(self) -> None:
        """Begin again: some optimizers move weights though their rate is zero."""
        with torch.no_grad():
            for weight, before in zip(self.parts.state.model.parameters(), self.weights, strict=True):
                weight.copy_(before)


class Unjudged(Update):
    """An update whose numbers nobody judges: those of weights that never move say nothing about the run."""

    def _refuse(self, state: RunState, what: str) -> None:
        """Go on."""


class AtRest(Scheduler):
    """Keeps every rate at zero, so that the weights stay where they are: no rate can spoil what is timed."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer

    def set(self, step: int) -> None:
        """The same for every step."""
        for group in self._optimizer.param_groups:
            group["lr"] = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing."""


@contextmanager
def failing(words: str) -> Generator[None]:
    """Around the making and the updates of a setting: whatever ends them, a signal aside, is of that setting.

    Raises:
        Unusable: it failed.
    """
    try:
        yield
    except (Stopped, Unusable):
        raise
    except (Exception, SystemExit) as error:
        raise Unusable(words, str(error) if isinstance(error, UserError) else raised(error)) from error


@contextmanager
def products(wanted: str | None) -> Generator[None]:
    """Compute matrix products with an arithmetic; None: as it is."""
    before = torch.get_float32_matmul_precision()
    if wanted is not None:
        torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        if wanted is not None:
            torch.set_float32_matmul_precision(before)
