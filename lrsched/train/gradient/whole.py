"""The gradient of an update that one process makes as it comes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lrsched.config.blame import called
from lrsched.data.batch import Batch
from lrsched.seeds import key
from lrsched.tasks.task import Task
from lrsched.train.precision import Precision
from lrsched.train.rng import seed_others


class Backward:
    """The forward and the backward pass of a micro-batch, random as its place in the run says.

    Args:
        task: gives the loss.
        precision: the arithmetic of the forward pass.
        seed: of the run.
        device: where the model is.
    """

    def __init__(self, task: Task, precision: Precision, seed: int, device: torch.device) -> None:
        self.task, self._precision, self._seed = task, precision, seed
        self._reseed: Callable[[int], object] = (
            torch.cuda.manual_seed if device.type == "cuda" else torch.default_generator.manual_seed
        )

    def reseed(self, *position: int) -> None:
        """Draw from here on what belongs to this place of the run."""
        self._reseed(key(self._seed, "model", *position))

    def reseed_all(self, *position: int) -> None:
        """The same for Python's and NumPy's generators, too, which a model may draw from."""
        seed_others(key(self._seed, "model", *position))
        self.reseed(*position)

    def __call__(
        self,
        model: nn.Module,
        batch: Batch,
        position: tuple[int, ...],
        factor: float | Tensor | None,
        scaler: torch.amp.GradScaler | None,
        look: Callable[[Tensor], None] | None,
    ) -> Tensor:
        """Add the gradient of a micro-batch to the parameters' and return its loss.

        Args:
            model: in training mode.
            batch: the micro-batch.
            position: the update's batch number, and the micro-batch's place in it.
            factor: of the loss; None: 1.
            scaler: of the loss, in fp16.
            look: at the loss before the backward pass; it may raise.
        """
        self.reseed(*position)
        with called(model, batch, f"update {position[0]}"):
            with self._precision():
                loss = self.task.loss(model, batch)
            if factor is not None:
                loss = loss * factor
            if look is not None:
                look(loss)
            (loss if scaler is None else scaler.scale(loss)).backward()
        return loss.detach()
