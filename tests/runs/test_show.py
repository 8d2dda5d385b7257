"""What a task shows lies in the run folder and in TensorBoard, and changes no bit of the run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrsched.data import Data, Source
from lrsched.tasks import Regression, Task
from lrsched.train.precision import Precision
from lrsched.train.rng import generators_state
from lrsched.train.show import Show, files
from tests.helpers.cli import TINY, Ended

HERE = "tests.runs.test_show"
DEVICE = torch.device("cpu")
PIL = pytest.importorskip("PIL.Image", reason="no Pillow: nothing else reads a PNG file")


def pixels(file: Path) -> np.ndarray:
    return np.asarray(PIL.open(file))


@dataclass(frozen=True, kw_only=True)
class Meddles(Task):
    """Shows, and does all that it should not."""

    how: str = "meddle"

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        x, y = batch
        return (model(x).squeeze(1) - y).square().mean()

    def show(self, model: nn.Module, batch: Any) -> dict[str, Any]:
        if self.how == "raise":
            raise KeyError("no\nsuch thing")
        if self.how == "wrong":
            return {"a": torch.zeros(3, 4)}
        model.train()
        model(batch[0])  # moves the statistics of batch norm
        _ = torch.randn(3), np.random.rand(), random.random()
        for weight in model.parameters():
            weight.data.zero_()
            weight.requires_grad_(True)
        batch[0].zero_()
        with torch.inference_mode(False), torch.enable_grad():
            model(torch.randn(4, 3)).sum().backward()
        return {"a picture": torch.arange(24, dtype=torch.uint8).reshape(2, 4, 3), "a text": "one\n**two**"}


class Normed(nn.Module):
    """A network with statistics and dropout."""

    def __init__(self, features: int, outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@dataclass(frozen=True)
class Sums(Source):
    def load(self) -> Data:
        x = torch.randn(92, 3, generator=torch.Generator().manual_seed(0))
        return Data((x, x.sum(1)))


@pytest.fixture
def train(run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    nodes = ("~dataset", "~task", "~model", f"+dataset={{_target_: {HERE}.Sums, batch_size: 16}}")
    own = (f"+task={{_target_: {HERE}.Meddles}}", f"+model={{_target_: {HERE}.Normed}}", "trainer.progress=false")
    return lambda name, *more: run_cli(*nodes, *own, "trainer.epochs=4", f"name={name}", *more)


def bits(ended: Ended, name: str) -> tuple[str, bytes]:
    return ended.result(name)["weights_sha256"], (ended.cwd / "outputs" / name / "metrics.jsonl").read_bytes()


def shown(ended: Ended, name: str) -> list[str]:
    return sorted(file.name for file in (ended.cwd / "outputs" / name / "shown").glob("*"))


def events(folder: Path) -> dict[str, list[int]]:
    """The steps of each picture and text, as TensorBoard's server reads them."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    seen = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {tag: [point.step for point in seen.Tensors(tag)] for tag in seen.Tags()["tensors"] if "shown/" in tag}


def test_it_changes_no_bit_whatever_the_task_does_and_is_shown_once_after_a_stop(train, run_cli, heard) -> None:
    every = ("trainer.show_every=1ep", "logger=tensorboard")
    quiet = train("quiet", "trainer.show_every=null")
    ended = train("shown", *every)
    assert quiet.code == ended.code == 0, ended.err
    assert "warning" not in ended.err
    assert shown(ended, "quiet") == []
    steps = [row["step"] for row in ended.rows("shown") if "val/loss" in row]
    assert len(steps) == 4
    assert shown(ended, "shown") == [f"{s:010d}-{n}" for s in steps for n in ("a-picture.png", "a-text.txt")]
    folder = ended.cwd / "outputs" / "shown"
    first = pixels(folder / "shown" / f"{steps[0]:010d}-a-picture.png")
    assert first.flatten().tolist() == list(range(24))
    assert (folder / "shown" / f"{steps[0]:010d}-a-text.txt").read_text() == "one\n**two**"
    wanted = {"shown/a-picture": steps, "shown/a-text": steps}
    assert events(folder) == wanted
    assert "oddly" not in heard.text
    assert bits(ended, "shown") == bits(quiet, "quiet")

    for until in (steps[1], steps[1] + 1):  # at rest with an evaluation, and between two
        name = f"cut{until}"
        assert train(name, *every, f"sweep.until={until}").code == 0
        later = ended.cwd / "outputs" / name / "shown" / f"{steps[2]:010d}-a-picture.png"
        later.write_bytes(b"of a killed process")
        assert run_cli(f"resume=outputs/{name}", "sweep.until=null").code == 0
        assert bits(ended, name) == bits(quiet, "quiet")
        assert shown(ended, name) == shown(ended, "shown")
        assert later.read_bytes() != b"of a killed process"
        assert events(ended.cwd / "outputs" / name) == wanted


def test_by_default_the_last_evaluation_is_shown_and_so_is_that_of_an_early_stop(train) -> None:
    ended = train("last")
    assert shown(ended, "last") == [f"{ended.result('last')['step']:010d}-{n}" for n in ("a-picture.png", "a-text.txt")]
    early = ("trainer.early_stop.patience=1", "trainer.early_stop.threshold=100")
    ended = train("early", *early)
    assert ended.result("early")["ended"] == "early"
    assert len(shown(ended, "early")) == 2


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "KeyError: 'no\\\\nsuch thing'"),
        ("wrong", "TypeError: a: a picture is uint8 [H, W, 3], and this is float32 [3, 4]"),
    ],
)
def test_an_error_is_said_once_and_ends_nothing(train, how: str, reason: str) -> None:
    ended = train("run", f"+task.how={how}", "trainer.show_every=1ep")
    assert ended.code == 0
    said = [line for line in ended.err.splitlines() if "show()" in line]
    assert len(said) == 1
    assert "warning: task=Meddles: its show() failed at step " in said[0]
    assert reason.replace("\\\\", "\\") in said[0].replace("\\\\", "\\")
    assert shown(ended, "run") == []


def test_a_model_is_left_as_it_was() -> None:
    model, x = Normed(3), torch.randn(6, 3)
    model.layers[1].eval()  # a mode of its own
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    places = [weight.data_ptr() for weight in model.parameters()]
    modes = [module.training for module in model.modules()]
    generators = json.dumps(generators_state(DEVICE), default=lambda t: t.tolist())
    show = Show(Meddles(), [(x, x.sum(1))], Precision("fp32", DEVICE), seed=0, device=DEVICE, tell=pytest.fail)
    kept = x.clone()
    assert set(show(model, 3)) == {"a-picture", "a-text"}
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [weight.data_ptr() for weight in model.parameters()] == places
    assert [module.training for module in model.modules()] == modes
    assert all(weight.grad is None for weight in model.parameters())
    assert json.dumps(generators_state(DEVICE), default=lambda t: t.tolist()) == generators
    assert torch.equal(x, kept)


def test_two_names_that_are_one_word_are_two_files() -> None:
    assert list(files({"a b": "1", "a-b": "2", "/../": "3"})) == ["a-b", "a-b-again", "shown"]


def test_wrong_answers_of_pictures_are_shown(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", "logger=none", "optimizer.lr=1e-9")
    assert shown(ended, "run") == ["0000000012-wrong-answers-in-words.txt", "0000000012-wrong-answers.png"]


def test_a_picture_told_from_its_coordinates_is_whole() -> None:
    """A model that gives x to red and y to green, over a grid of 2 x 4 pixels."""
    model = nn.Linear(2, 3)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        model.bias.zero_()
    batch = (torch.zeros(1, 2), torch.zeros(1, 3))
    picture = Regression(range=1.0, grid=(2, 4)).show(model, batch)["reconstruction"]
    assert picture.shape == (2, 4, 3)
    assert picture[:, :, 0].tolist() == [[0, 0, 64, 191]] * 2  # x is −3/4, −1/4, 1/4, 3/4
    assert picture[:, :, 1].tolist() == [[0] * 4, [64] * 4]


@pytest.mark.slow
def test_the_photograph_is_in_the_run_folder(run_cli) -> None:
    ended = run_cli("experiment=picture", "name=run", "trainer.epochs=1", "dataset.reduce=8", "trainer.progress=false")
    assert ended.code == 0, ended.err
    (name,) = shown(ended, "run")
    assert name.endswith("-reconstruction.png")
    assert pixels(ended.cwd / "outputs" / "run" / "shown" / name).shape == (53, 80, 3)
