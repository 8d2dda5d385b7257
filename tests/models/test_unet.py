"""UNet: its shapes and sizes, what an answer sees, and a run that tells shapes apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lrsched.data import Npz
from lrsched.data.loader import order
from lrsched.data.split import split
from lrsched.errors import ConfigError
from lrsched.models import UNet
from lrsched.seeds import key


def unet(shape: tuple[int, int, int] = (1, 16, 16), **more: Any) -> UNet:
    torch.manual_seed(0)
    return UNet(shape, **{"outputs": 3, "width": 4, "depth": 2, **more})


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("norm", ["group", "batch"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 8, 20), (2, 4, 4)])
def test_an_answer_for_each_pixel(shape: tuple[int, int, int], norm: str, upsampling: str) -> None:
    logits = unet(shape, norm=norm, upsampling=upsampling)(torch.rand(2, *shape))
    assert logits.shape == (2, 3, *shape[1:])
    assert logits.dtype == torch.float32


def test_outputs_are_classes_or_what_the_task_wants() -> None:
    assert UNet((1, 8, 8), 5, width=2, depth=1)(torch.rand(1, 1, 8, 8)).shape[1] == 5
    assert UNet((1, 8, 8), 5, outputs=1, width=2, depth=1)(torch.rand(1, 1, 8, 8)).shape[1] == 1


def test_its_size() -> None:
    """Blocks of two 3x3 convolutions and two norms: 2→4, 4→8, and up again 8 + 4→4; then 4→3 with biases."""

    def block(below: int, maps: int) -> int:
        return 9 * maps * (below + maps) + 4 * maps

    model = unet((2, 8, 8), depth=1)
    assert sum(p.numel() for p in model.parameters()) == block(2, 4) + block(4, 8) + block(8 + 4, 4) + 4 * 3 + 3


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_an_answer_sees_as_far_as_the_yaml_says(depth: int) -> None:
    """With positive weights, and means in the place of maxima, no path from a pixel is closed."""
    model = unet((1, 128, 128), depth=depth, width=1, norm="batch").eval()
    model.pool = nn.AvgPool2d(2)
    for parameter in model.parameters():
        parameter.data.abs_()
    x = torch.ones(1, 1, 128, 128, requires_grad=True)
    model(x)[0, :, 64, 64].sum().backward()
    assert x.grad is not None
    for along in (0, 1):
        seen = int((x.grad[0, 0] != 0).any(along).sum())
        assert abs(seen - 12 * 2**depth) <= 6  # a pixel's place in its cell shifts the edges


def test_group_norm_is_the_same_for_every_batch() -> None:
    model = unet()
    x = torch.rand(4, 1, 16, 16)
    torch.testing.assert_close(model(x)[:1], model(x[:1]))
    assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"depth": 3}, "depth=3: halves the image 3 times, and 12x12 pixels are no multiple of 8; give at most 2"),
    ({"depth": 0}, "depth=0: must be a whole number of at least 1"),
    ({"width": 0}, "width=0: must be a whole number of at least 1"),
    ({"norm": "layer"}, "norm=layer: is not one of group, batch"),
    ({"upsampling": "cubic"}, "upsampling=cubic: is not one of nearest, bilinear"),
    ({"input_shape": (12, 12)}, "input_shape=[12,12]: must be channels, height and width"),
    ({"input_shape": (1, 7, 7)}, "depth=2: halves the image 2 times, and 7x7 pixels are no multiple of 4; pad the"),
    ({"outputs": None}, "outputs=null: says how many numbers the model gives"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_used_is_said(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        UNet(**{"input_shape": (1, 12, 12), "outputs": 2, "width": 4, "depth": 2, **arguments})
    assert str(error.value).startswith(message)


SHAPES = ("dataset=npz", "dataset.path=shapes.npz", "dataset.batch_size=8", "task=segmentation", "model=unet")
TINY = (*SHAPES, "model.width=4", "model.depth=2", "optimizer=adamw", "trainer.progress=false", "logger=none")


def write_shapes(file: str, samples: int = 80, size: int = 16) -> None:
    """Noisy pictures of a bright disc or a bright square on grey: 0 the ground, 1 a disc, 2 a square."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    x, y = np.empty((samples, 1, size, size), np.float32), np.zeros((samples, size, size), np.int64)
    for n in range(samples):
        centre, radius = draw.uniform(5, size - 5, 2), draw.uniform(3, 4.5)
        far = [abs(rows - centre[0]), abs(columns - centre[1])]
        inside = np.maximum(*far) <= radius if n % 2 else far[0] ** 2 + far[1] ** 2 <= radius**2
        y[n][inside] = 1 + n % 2
        x[n, 0] = inside + draw.normal(0, 0.1, (size, size))
    np.savez(file, x=x, y=y)


def test_a_run_is_a_bare_loop_to_the_last_bit(run_cli) -> None:
    write_shapes("shapes.npz", samples=60)
    options = ("threads=1", "trainer.steps=10", "trainer.log_every=1st", "scheduler=constant", "optimizer.lr=0.01")
    ended = run_cli(*TINY, *options, "name=run")
    assert ended.code == 0, ended.err
    parts = split(Npz(path="shapes.npz").load(), validation=0.1, test=0.2, seed=0)
    change = parts.transform(torch.device("cpu"))
    x, y = parts.train
    torch.manual_seed(key(0, "init"))
    model = UNet((1, 16, 16), outputs=3, width=4, depth=2)
    matrices, vectors = ([p for p in model.parameters() if (p.ndim > 1) == many] for many in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    losses = []
    for numbers in [part for epoch in range(2) for part in order(0, epoch, len(y)).split(8)][:10]:
        images, labels = change((x[numbers], y[numbers]))
        loss = cross_entropy(model(images).movedim(1, -1).flatten(0, -2), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [row["train/loss"] for row in ended.rows() if "train/loss" in row] == losses


@pytest.mark.slow
def test_it_is_stopped_and_resumed(run_cli) -> None:
    write_shapes("shapes.npz", samples=40)
    options = (*TINY, "threads=1", "trainer.epochs=2", "model.norm=batch", "checkpoint.monitor=val/miou")
    assert run_cli(*options, "name=whole").code == 0
    assert run_cli(*options, "name=cut", "sweep.until=3").code == 0
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert ended.code == 0, ended.err
    assert ended.result("cut")["weights_sha256"] == ended.result("whole")["weights_sha256"]
    assert ended.rows("cut") == ended.rows("whole")


@pytest.mark.slow
def test_it_tells_discs_from_squares(run_cli) -> None:
    write_shapes("shapes.npz", samples=400)
    sizes = ("dataset.batch_size=16", "model.width=8", "model.depth=2", "trainer.epochs=25", "trainer.progress=false")
    ended = run_cli(*SHAPES, *sizes, "optimizer=adamw", "optimizer.lr=0.01", "threads=1", "logger=none", "name=run")
    assert ended.code == 0, ended.err
    assert ended.result()["metrics"]["test/miou"] > 0.9


def test_pictures_as_targets(run_cli) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(40, 1, 8, 8)).astype(np.float32)
    np.savez("pairs.npz", x=x, y=np.concatenate([x, -x], 1))
    words = ("dataset=npz", "dataset.path=pairs.npz", "task=regression", "model=unet", "model.depth=1", "model.width=4")
    ended = run_cli(*words, "+model.outputs=2", "trainer.epochs=1", "trainer.progress=false", "name=run")
    assert ended.code == 0, ended.err
    assert "test/r2" in ended.result()["metrics"]


WRONG = [
    (
        ["model.depth=5"],
        "model.depth=5: halves the image 5 times, and 16x16 pixels are no multiple of 32; give at most",
    ),
    (["task=classification"], "train y: labels must be whole numbers, one for each sample"),
    (["model=cnn"], "logits are wanted"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_what_cannot_be_is_one_message(run_cli, words: list[str], message: str) -> None:
    write_shapes("shapes.npz", samples=20)
    options = TINY if "model=cnn" not in words else (*SHAPES, "trainer.progress=false")
    ended = run_cli(*options, *words, "name=run")
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()
    assert Path("shapes.npz").exists()
