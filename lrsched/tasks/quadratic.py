"""Ask for the minimum of a noisy quadratic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from lrsched.data.batch import Batch, column
from lrsched.errors import ConfigError
from lrsched.tasks._checks import targets
from lrsched.tasks.task import Task

if TYPE_CHECKING:
    from lrsched.data.data import Data


@dataclass(frozen=True, kw_only=True)
class Quadratic(Task):
    """Least squares, ½·(w·x − y)², measured exactly: at an evaluation ``loss`` is ½·Σ λ_k·(w_k − w*_k)².

    That is the expected loss over all possible samples without the noise of the labels, which no weights can avoid: it
    depends on the weights alone, not on the samples of the part. ``lrsched.data.quadratic.Quadratic`` says what it
    comes to on the average under any schedule.

    Args:
        spectrum: λ, of the data set.
        solution: w*, of the data set.
    """

    spectrum: tuple[float, ...] | None = None
    solution: tuple[float, ...] | None = None

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Half the mean square, as in the formula."""
        return (self.forward(model, batch) - column(batch, 1)).square().mean() / 2

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """½·Σ λ_k·(w_k − w*_k)² in float64, once for each sample."""
        weights = next(model.parameters()).detach().double().flatten()
        spectrum, solution = (_like(each, weights) for each in (self.spectrum, self.solution))
        return {"loss": (spectrum * (weights - solution).square()).sum() / 2 * self.weight(batch)}

    def check(self, data: Data) -> None:
        """Require data whose solution is known."""
        if "solution" not in data.facts:
            what = ", ".join(what for what, _ in targets(data)) or "the data"
            rule = f"measures the distance to the solution, and {what} of this data set do not tell it"
            raise ConfigError("task", "quadratic", rule, "it is the task of dataset=noisy_quadratic")

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require one number a sample."""
        shape = column(batch, 1).shape
        right = isinstance(output, Tensor) and output.shape == shape
        return "" if right else f"{list(shape)} predictions are wanted"

    def remedy(self, output: Any, batch: Batch) -> str:
        """Name the model."""
        return "give model=quadratic"


def _like(values: Sequence[float] | None, weights: Tensor) -> Tensor:
    """Values as a tensor on the weights' device."""
    return torch.tensor(cast("Sequence[float]", values), dtype=torch.float64, device=weights.device)
