"""lrsched.LRScheduler in a Lightning run: every update trains with its row, with accumulation and after a resume."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lrsched.horizon import Horizon
from lrsched.schedules import WSD, Cosine, Linear, OneCycle, Schedule

NEEDED = "needs pytorch-lightning: pip install 'hydra-lrsched[peers]'"
lightning = partial(pytest.importorskip, "pytorch_lightning", reason=NEEDED)
models = partial(pytest.importorskip, "tests.helpers.lightning_models", reason=NEEDED)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:The `srun` command is available"),  # on a machine of a cluster
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning"),
]

SAMPLES, BATCH, EPOCHS = 28, 4, 3
RATE = 0.1


def data() -> DataLoader:
    return DataLoader(TensorDataset(torch.ones(SAMPLES, 2)), batch_size=BATCH)


def trainer(folder: Path, epochs: int = EPOCHS, **options: Any) -> Any:
    return lightning().Trainer(
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
    model = models().Recorder(schedule, horizon)
    trainer(tmp_path, accumulate_grad_batches=accumulate).fit(model, data())
    assert model.used == rows(schedule, horizon)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_run_that_is_resumed_goes_on_with_the_next_row(tmp_path: Path, accumulate: int) -> None:
    schedule = OneCycle()
    steps = -(-SAMPLES // BATCH // accumulate)
    horizon = Horizon(EPOCHS * steps, steps)
    first = models().Recorder(schedule, horizon)
    stopped = trainer(tmp_path, epochs=1, accumulate_grad_batches=accumulate)
    stopped.fit(first, data())
    stopped.save_checkpoint(tmp_path / "last.ckpt")

    second = models().Recorder(schedule, horizon)
    trainer(tmp_path, accumulate_grad_batches=accumulate).fit(second, data(), ckpt_path=tmp_path / "last.ckpt")
    assert first.used + second.used == rows(schedule, horizon)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_pages_horizon_counts_updates_and_epochs(tmp_path: Path, accumulate: int) -> None:
    schedule = WSD(warmup="1ep", decay="20%")
    first, second = models().OfThePage(schedule, stops_after=1), models().OfThePage(schedule)
    stopped = trainer(tmp_path, accumulate_grad_batches=accumulate)
    stopped.fit(first, data())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    trainer(tmp_path, accumulate_grad_batches=accumulate).fit(second, data(), ckpt_path=tmp_path / "last.ckpt")
    steps = -(-SAMPLES // BATCH // accumulate)
    assert second.horizon == first.horizon == Horizon(EPOCHS * steps, steps)
    assert len(first.used) == steps
    assert first.used + second.used == rows(schedule, second.horizon)


def unfreezing(epoch: int) -> Any:
    same = {"lambda_func": lambda epoch: 1.0, "should_align": False}
    return lightning().callbacks.BackboneFinetuning(epoch, backbone_initial_ratio_lr=0.1, **same)


def test_a_backbone_that_is_unfrozen_trains_on_as_with_torchs_classes(tmp_path: Path) -> None:
    horizon = Horizon(EPOCHS * 7, 7)
    ours, torchs = models().Backbone(horizon), models().Backbone(horizon, torchs=True)
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
    whole, first, second = models().Backbone(horizon), models().Backbone(horizon), models().Backbone(horizon)
    trainer(tmp_path, epochs=4, callbacks=[unfreezing(1)]).fit(whole, data())
    stopped = trainer(tmp_path, epochs=2, callbacks=[unfreezing(1)])
    stopped.fit(first, data())
    stopped.save_checkpoint(tmp_path / "last.ckpt")
    resumed = trainer(tmp_path, epochs=4, callbacks=[unfreezing(1)])
    resumed.fit(second, data(), ckpt_path=tmp_path / "last.ckpt")
    assert first.rates + second.rates == whole.rates
    assert len(whole.rates) == horizon.steps
