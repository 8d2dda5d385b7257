"""lrsched.LRScheduler in a Lightning run: every update trains with its row, with accumulation and after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched.horizon import Horizon
from lrsched.schedules import Cosine, Linear, OneCycle, Schedule

lightning = pytest.importorskip(
    "pytorch_lightning", reason="needs pytorch-lightning: pip install 'hydra-lrsched[peers]'"
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:The `srun` command is available"),  # on a machine of a cluster
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning"),
]

SAMPLES, BATCH, EPOCHS = 28, 4, 3
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


def data() -> DataLoader:
    return DataLoader(TensorDataset(torch.ones(SAMPLES, 2)), batch_size=BATCH)


def trainer(folder: Path, epochs: int = EPOCHS, **options: Any) -> Any:
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        **options,
    )


def rows(schedule: Schedule, horizon: Horizon) -> list[tuple[float, float]]:
    table = schedule.table(horizon, RATE)
    momentum = table["momentum"].tolist() if "momentum" in table else [0.9] * horizon.steps
    return list(zip(table["lr"].tolist(), momentum, strict=True))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("schedule", [Cosine(warmup="2st"), OneCycle()], ids=["cosine", "onecycle"])
def test_every_update_trains_with_its_row(tmp_path: Path, schedule: Schedule, accumulate: int) -> None:
    steps = -(-SAMPLES // BATCH // accumulate)  # Lightning also updates at the end of an epoch: 7 batches by 3 are 3
    horizon = Horizon(EPOCHS * steps, steps)
    model = Recorder(schedule, horizon)
    trainer(tmp_path, accumulate_grad_batches=accumulate).fit(model, data())
    assert model.used == rows(schedule, horizon)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_run_that_is_resumed_goes_on_with_the_next_row(tmp_path: Path, accumulate: int) -> None:
    schedule = OneCycle()
    steps = -(-SAMPLES // BATCH // accumulate)
    horizon = Horizon(EPOCHS * steps, steps)
    first = Recorder(schedule, horizon)
    stopped = trainer(tmp_path, epochs=1, accumulate_grad_batches=accumulate)
    stopped.fit(first, data())
    stopped.save_checkpoint(tmp_path / "last.ckpt")

    second = Recorder(schedule, horizon)
    trainer(tmp_path, accumulate_grad_batches=accumulate).fit(second, data(), ckpt_path=tmp_path / "last.ckpt")
    assert first.used + second.used == rows(schedule, horizon)


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


def unfreezing(epoch: int) -> Any:
    same = {"lambda_func": lambda epoch: 1.0, "should_align": False}
    return lightning.callbacks.BackboneFinetuning(epoch, backbone_initial_ratio_lr=0.1, **same)


def test_a_backbone_that_is_unfrozen_trains_on_as_with_torchs_classes(tmp_path: Path) -> None:
    horizon = Horizon(EPOCHS * 7, 7)
    ours, torchs = Backbone(horizon), Backbone(horizon, torchs=True)
    for model in (ours, torchs):
        trainer(tmp_path, callbacks=[unfreezing(2)]).fit(model, data())
    assert [len(rates) for rates in ours.rates] == [1] * 14 + [2] * 7
    head = Linear().table(horizon, RATE)["lr"]
    assert ours.rates[14] == [head[14], head[14] * 0.1]  # the rate that the callback gives is the one in force
    for s, (mine, theirs) in enumerate(zip(ours.rates, torchs.rates, strict=True)):
        assert mine == pytest.approx(theirs, rel=1e-12)
        assert mine == pytest.approx([head[s], 0.1 * head[s]][: len(mine)], rel=1e-12)


def test_an_unfrozen_backbone_is_resumed(tmp_path: Path) -> None:
    horizon = Horizon(4 * 7, 7)
    whole, first, second = Backbone(horizon), Backbone(horizon), Backbone(horizon)
    trainer(tmp_path, epochs=4, callbacks=[unfreezing(1)]).fit(whole, data())
    stopped = trainer(tmp_path, epochs=2, callbacks=[unfreezing(1)])
    stopped.fit(first, data())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    resumed = trainer(tmp_path, epochs=4, callbacks=[unfreezing(1)])
    resumed.fit(second, data(), ckpt_path=tmp_path / "last.ckpt")
    assert first.rates + second.rates == whole.rates
    assert len(whole.rates) == horizon.steps
