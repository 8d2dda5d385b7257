"""Models of Lightning that note the values which each update uses."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning
import torch

import lrsched
from lrsched.horizon import Horizon
from lrsched.schedules import Linear, Schedule

RATE = 0.1


class Recorder(lightning.LightningModule):
    """A line fitted to noise; notes the values that each update uses."""

    def __init__(self, schedule: Schedule, horizon: Horizon) -> None:
        super().__init__()
        self.line = torch.nn.Linear(2, 1)
        self.schedule, self.horizon = schedule, horizon
        self.used: list[tuple[float, float]] = []

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        (x,) = batch
        return self.line(x).square().mean()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=RATE, momentum=0.9)
        optimizer.register_step_pre_hook(
            lambda o, *_: self.used.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        )
        scheduler = lrsched.LRScheduler(optimizer, self.schedule, self.horizon)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class OfThePage(Recorder):
    """Its horizon is made as docs/how-to/from-lightning.md shows."""

    def __init__(self, schedule: Schedule, stops_after: int | None = None) -> None:
        super().__init__(schedule, Horizon(1))
        self.stops_after = stops_after

    def on_train_epoch_end(self) -> None:
        self.trainer.should_stop = self.trainer.current_epoch + 1 == self.stops_after

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        epochs = self.trainer.max_epochs
        assert epochs is not None
        self.horizon = lrsched.Horizon(steps, steps_per_epoch=steps // epochs)
        return super().configure_optimizers()


class Backbone(Recorder):
    """A body that BackboneFinetuning freezes, and gives to the optimizer as a group of its own later."""

    def __init__(self, horizon: Horizon, torchs: bool = False) -> None:
        super().__init__(Linear(), horizon)
        self.backbone, self.torchs = torch.nn.Linear(2, 2), torchs
        self.rates: list[list[float]] = []

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        (x,) = batch
        return self.line(self.backbone(x)).square().mean()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.line.parameters(), lr=RATE)
        optimizer.register_step_pre_hook(lambda o, *_: self.rates.append([group["lr"] for group in o.param_groups]))
        if self.torchs:
            scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, self.horizon.steps)
        else:
            scheduler = lrsched.LRScheduler(optimizer, self.schedule, self.horizon)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
