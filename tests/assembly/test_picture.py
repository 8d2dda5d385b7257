"""A picture as a regression: a bare loop to the last bit, resumed, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import mse_loss

from lrsched.data import Picture
from lrsched.data.loader import order
from lrsched.data.split import split
from lrsched.models import Fourier
from lrsched.seeds import key

TINY = (
    "experiment=picture",
    "dataset.reduce=20",  # 21 x 32 pixels: 593 train
    "dataset.batch_size=64",  # 10 updates an epoch
    "model.frequencies=8",
    "model.hidden=[16]",
    "trainer.epochs=3",
    "trainer.log_every=1st",
    "trainer.progress=false",
    "threads=1",
    "logger=none",
)


def test_it_is_a_bare_loop_to_the_last_bit(run_cli) -> None:
    ended = run_cli(*TINY, "name=run")
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    rates = [row["lr/default"] for row in rows]
    assert rates[:3] == pytest.approx([0.0015, 0.003, 0.003], rel=1e-12)
    parts = split(Picture(reduce=20).load(), validation=0.02, test=0.1, seed=0)
    x, y = parts.train
    torch.manual_seed(key(0, "init"))
    model = Fourier((2,), outputs=3, frequencies=8, sigma=6.0, hidden=[16])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    losses = []
    batches = [numbers for epoch in range(3) for numbers in order(0, epoch, len(y)).split(64)]
    for rate, numbers in zip(rates, batches, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        loss = mse_loss(model(x[numbers]), y[numbers])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [row["train/loss"] for row in rows] == losses
    x, y = parts.test
    with torch.inference_mode():
        square = (model(x).double() - y.double()).square().mean().item()
    result = ended.result()
    assert result["metrics"]["test/psnr"] == pytest.approx(-10 * math.log10(square), rel=1e-9)
    assert len(y) == 67  # a tenth of 672, half up
    assert result["better"]["psnr"] == "max"
    assert result["best"]["val/psnr"] == max(row["val/psnr"] for row in ended.rows() if "val/psnr" in row)


@pytest.mark.slow
def test_it_is_stopped_and_resumed(run_cli) -> None:
    assert run_cli(*TINY, "name=whole").code == 0
    assert run_cli(*TINY, "name=cut", "sweep.until=13").code == 0
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert ended.code == 0, ended.err
    assert ended.result("cut")["weights_sha256"] == ended.result("whole")["weights_sha256"]
    assert ended.rows("cut") == ended.rows("whole")


BAD = [
    (["dataset.reduce=300"], "dataset.reduce=300: leaves 1 x 2 pixels of 427 x 640; give a smaller number"),
    (["task=segmentation"], "checkpoint.monitor=val/psnr: is no metric of an evaluation"),
    (
        ["dataset.augment.crop=1"],
        "changes images [samples, C, H, W] of uint8 or floats, and the inputs here",
    ),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_what_cannot_be_is_one_message(run_cli, words: list[str], message: str) -> None:
    ended = run_cli(*TINY, *words, "name=run")
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()
