"""A metric of torchmetrics, whose state torch would add over the processes, is that of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.ranks import train_on

torchmetrics = pytest.importorskip("torchmetrics")


class Hits(torchmetrics.Metric):
    """How many are right."""

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", default=torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        self.hits: Any = self.hits + (preds.argmax(1) == target).sum()

    def compute(self) -> Tensor:
        return self.hits


def test_its_state_is_not_added(tmp_path: Path) -> None:
    words = (
        "model.hidden=[16]",
        f"+trainer.metrics.hits={{_target_: {__name__}.Hits, better: max}}",
        "trainer.lanes=2",
    )
    (one,), (two, other) = (train_on(tmp_path / str(size), size, words, 3) for size in (1, 2))
    assert one.metrics["val/hits"] == round(one.metrics["val/accuracy"] * 144) > 0
    assert one == two == other
