"""Predict numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss, l1_loss, mse_loss

from lrsched.data.batch import Batch, column, samples
from lrsched.data.data import form
from lrsched.data.picture import coordinates
from lrsched.errors import ConfigError, DataError, nearest
from lrsched.tasks._checks import check_constant, check_sample_weights
from lrsched.tasks._checks import targets as targets_in
from lrsched.tasks._pictures import MOST, is_picture, rgb, tiled
from lrsched.tasks._sums import aligned, full_precision, leave_out, mean, numbers, over, r_squared, shape_complaint
from lrsched.tasks.task import Direction, Task, sample_weight

if TYPE_CHECKING:
    from lrsched.data.data import Data

Numbers = float | tuple[float, ...]
LOSSES = {"mse": mse_loss, "mae": l1_loss, "huber": huber_loss}


@dataclass(frozen=True, init=False)
class Regression(Task):
    """Numbers for each sample: the model gives ẑ for z = (y − target_mean)/target_std, as y is; [B, 1] meets [B].

    ::

        mse: (ẑ − z)²    mae: |ẑ − z|    huber: ½(ẑ − z)² up to delta, then delta·(|ẑ − z| − ½·delta)

    Means are over samples and their targets; a third column ``weight`` [B] weighs the samples, in every metric too.

    Metrics: ``loss`` as above; in the target's own unit ``mae`` and ``rmse``; ``r2`` = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², the
    mean over targets [B, targets], or one for all numbers of targets of more dimensions; where y is constant 1 if ŷ
    is exact, or else 0; and with ``range`` ``psnr`` = 10·log₁₀(range²/mean (y − ŷ)²) in dB, at most 200.

    Args:
        loss: mse (default), mae or huber.
        delta: where huber turns from a square into a line, in standard deviations of the target; above 0.
        target_mean, target_std: of the training part: a number, or one a target.
        targets: numbers in a target.
        range: largest possible value of a target minus the smallest.
        grid: height and width of a picture whose colours, from 0 to ``range``, are told from x and y; it is shown.
        kind: the loss, by the name of the field: what dataclasses.replace gives.

    Raises:
        ConfigError: a value out of its range.

    References:
        Huber, Robust estimation of a location parameter, 1964, https://doi.org/10.1214/aoms/1177703732

    >>> Regression(loss="huber", target_mean=20.0, target_std=5.0).answer(torch.tensor([[1.0]]))
    tensor([[25.]])
    """

    better: ClassVar[Mapping[str, Direction]] = {"loss": "min", "mae": "min", "rmse": "min", "r2": "max", "psnr": "max"}
    units: ClassVar[Mapping[str, str]] = {"mae": "target", "rmse": "target", "psnr": "dB"}

    kind: str
    delta: float
    target_mean: Numbers
    target_std: Numbers
    targets: int | None
    range: float | None
    grid: tuple[int, int] | None

    def __init__(
        self,
        *,
        loss: Literal["mse", "mae", "huber"] | None = None,
        delta: float = 1.0,
        target_mean: Numbers = 0.0,
        target_std: Numbers = 1.0,
        targets: int | None = None,
        range: float | None = None,
        grid: tuple[int, int] | None = None,
        kind: str | None = None,
    ) -> None:
        loss = loss or kind or "mse"  # type: ignore[assignment]  (the next line looks)
        if loss not in LOSSES:
            raise ConfigError("loss", loss, f"must be one of {', '.join(LOSSES)}", nearest(str(loss), LOSSES))
        stds = target_std if isinstance(target_std, tuple) else (target_std,)
        for key, value in {"delta": delta, "target_std": min(stds), "range": 1.0 if range is None else range}.items():
            if not 0 < value < math.inf:
                raise ConfigError(key, value, "must be a finite number above 0")
        for key, value in {"target_mean": target_mean, "target_std": target_std}.items():
            if isinstance(value, tuple) and targets is not None and len(value) != targets:
                raise ConfigError(key, list(value), f"there are {targets} targets, and {len(value)} numbers")
        given = {"kind": loss, "delta": delta, "target_mean": target_mean, "target_std": target_std}
        for name, value in {**given, "targets": targets, "range": range, "grid": grid}.items():
            object.__setattr__(self, name, value)  # the loss's name: ``loss`` itself is the method
        if range is None:
            leave_out(self, "psnr")

    def parameters(self) -> dict[str, Any]:
        """As the base class says; the loss's name is kept as ``kind``."""
        names = ("delta", "target_mean", "target_std", "targets", "range")
        return {"loss": self.kind, **{name: getattr(self, name) for name in names}}

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean loss of the standardised targets."""
        y, weight = column(batch, 1), sample_weight(batch)
        output = aligned(self.forward(model, batch), y)
        z = self._standardised(y).to(output.dtype)
        if weight is None:
            return self._losses(output, z, "mean")
        losses = self._losses(output, z, "none").reshape(len(y), -1).mean(1)
        return over((losses * weight.to(losses.dtype)).sum(), weight.sum())

    def weight(self, batch: Batch) -> int | Tensor:
        """Samples, or the sum of their weights."""
        weight = sample_weight(batch)
        return samples(batch) if weight is None else weight.sum()

    def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """For each target Σ|e|, Σe², Σd and Σd², e = ŷ − y and d = y − target_mean in its own unit; and the loss."""
        y, weight = column(batch, 1), sample_weight(batch)
        output = aligned(self.forward(model, batch), y)
        centred = y.double() - self._like(self.target_mean, y.double(), y.shape[1:])
        error = output.double() * self._like(self.target_std, centred, y.shape[1:]) - centred
        losses = self._losses(output, self._standardised(y).to(output.dtype), "none").double()
        found = {"absolute": error.abs(), "square": error**2, "centred": centred, "centred_square": centred**2}
        found["loss"] = losses.reshape(len(y), -1).mean(1)
        if weight is not None:
            found = {name: each * weight.double().reshape(-1, *[1] * (each.ndim - 1)) for name, each in found.items()}
        return {name: each.sum(0) for name, each in found.items()}

    def metrics(self, sums: Mapping[str, Tensor], weight: float) -> dict[str, float]:
        """The metrics of the class."""
        square = mean(sums["square"].mean(), weight)
        found = {
            "loss": mean(sums["loss"], weight),
            "mae": mean(sums["absolute"].mean(), weight),
            "rmse": math.sqrt(square),
            "r2": r_squared(sums, weight, self._like(self.target_mean, sums["square"], sums["square"].shape)),
        }
        if self.range is not None:
            found["psnr"] = 10 * math.log10(self.range**2 / max(square, 1e-20 * self.range**2))
        return found

    def check(self, data: Data) -> None:
        """Require real numbers that are not constant."""
        for number, (what, y) in enumerate(targets_in(data)):
            if y.is_complex():
                raise DataError(f"{what}: targets must be real numbers, not {form(y)}")
            if not number:
                check_constant(what, y)
        check_sample_weights(data)

    def complaint(self, output: Any, batch: Batch) -> str:
        """Require the shape of the targets."""
        return shape_complaint(output, column(batch, 1), "predictions")

    def remedy(self, output: Any, batch: Batch) -> str:
        """Say where the number of outputs is."""
        if not isinstance(output, Tensor):
            return "return the predictions alone"
        return "take the number of its outputs from the argument outputs" if column(batch, 1).ndim <= 2 else ""

    def answer(self, output: Tensor) -> Tensor:
        """ŷ = target_mean + target_std·ẑ."""
        shape = output.shape[1:]
        return output * self._like(self.target_std, output, shape) + self._like(self.target_mean, output, shape)

    def compared(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Predictions and targets in the target's own unit, float64 of the shape of the targets."""
        y = column(batch, 1).double()
        return self.answer(aligned(output, y).double()), y

    def show(self, model: nn.Module, batch: Batch) -> dict[str, Any]:
        """The whole picture that is told from x and y; or targets that are pictures above their predictions."""
        y = column(batch, 1)
        if self.grid is not None and column(batch, 0).shape[1:] == (2,) and y.shape[1:].numel() in (1, 3):
            return {"reconstruction": self._picture(model, column(batch, 0), self.grid)}
        if not is_picture(y.shape):
            return {}
        output = aligned(self.forward(model, batch), y)[: MOST // 2]
        y, predicted = y[: MOST // 2].double(), self.answer(output.double())
        low, high = (end((1, 2, 3), keepdim=True) for end in (y.amin, y.amax))
        return {"target, prediction": tiled(rgb(y, low, high), rgb(predicted, low, high))}

    def _picture(self, model: nn.Module, like: Tensor, grid: tuple[int, int]) -> Tensor:
        """What the model tells of each pixel, uint8 [H, W, 3]."""
        places = coordinates(*grid).to(like)
        told = torch.cat([self.answer(full_precision(self.forward(model, (some,)))) for some in places.split(1 << 14)])
        pixels = told.reshape(1, *grid, -1).movedim(-1, 1)
        ends = torch.tensor([0.0, 1.0 if self.range is None else self.range]).reshape(2, 1, 1, 1, 1)
        return rgb(pixels, *ends)[0]

    def _losses(self, output: Tensor, z: Tensor, reduction: str) -> Tensor:
        more = {"delta": self.delta} if self.kind == "huber" else {}
        return LOSSES[self.kind](output, z, reduction=reduction, **more)

    def _standardised(self, y: Tensor) -> Tensor:
        if (self.target_mean, self.target_std) == (0.0, 1.0):
            return y
        shape = y.shape[1:]
        return (y - self._like(self.target_mean, y, shape)) / self._like(self.target_std, y, shape)

    def _like(self, value: Numbers, like: Tensor, shape: torch.Size) -> Any:
        """A number as it is, or one a target in the shape of a sample."""
        if not isinstance(value, tuple):
            return value
        return numbers(value, like if like.is_floating_point() else like.float()).reshape(shape)
