"""An optimizer as an update uses it: step, gradients, clear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrsched.optimizers.lean import lean_step
from lrsched.optimizers.switching import switches


@dataclass(frozen=True)
class Stepper:
    """An optimizer, the cheapest way to step it, and its parameters in one list.

    Args:
        optimizer: the one to step.
        lean: its ``step`` without torch's wrappers.
        parameters: of all its groups.
        switches: it takes the gradient at other weights than those at rest.
    """

    optimizer: Optimizer
    lean: Callable[[], object]
    parameters: list[nn.Parameter]
    switches: bool

    @classmethod
    def of(cls, optimizer: Optimizer) -> Stepper:
        """Look once at everything that is the same in each step."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return cls(optimizer, lean_step(optimizer), parameters, switches(optimizer))

    def gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]

    def step(self, scaler: torch.amp.GradScaler | None) -> bool:
        """Step the optimizer; False if its scaled gradients overflowed and the scaler left the step out."""
        if scaler is None:
            self.lean()
            return True
        scale = scaler.get_scale()
        scaler.step(self.optimizer)
        scaler.update()
        return scaler.get_scale() >= scale

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None
