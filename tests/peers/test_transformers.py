"""Hugging Face's Trainer driven by our scheduler: each update uses its row of the table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lrsched
from lrsched.schedules import Cosine

transformers = partial(pytest.importorskip, "transformers", reason="the peer transformers is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


class Regression(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(2, 1)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": nn.functional.mse_loss(self.line(x).squeeze(1), labels)}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_update_uses_its_row_of_the_table(tmp_path: Path, accumulate: int) -> None:
    pytest.importorskip("accelerate", reason="the peer accelerate is not installed")
    torch.manual_seed(0)
    samples = [{"x": torch.randn(2), "labels": torch.randn(())} for _ in range(32)]
    steps = 2 * 32 // (4 * accumulate)
    model, schedule, horizon = Regression(), Cosine(warmup="3st"), lrsched.Horizon(steps)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lrsched.LRScheduler(optimizer, schedule, horizon)
    used: list[float] = []
    optimizer.register_step_pre_hook(lambda o, *_: used.append(o.param_groups[0]["lr"]))
    arguments = transformers().TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=2,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=accumulate,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    transformers().Trainer(model, arguments, train_dataset=samples, optimizers=(optimizer, scheduler)).train()
    assert used == schedule.table(horizon, 0.1)["lr"].tolist()
