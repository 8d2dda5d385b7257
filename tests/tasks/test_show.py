"""What tasks show: pictures and text, drawn from nothing that the run draws from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrsched.tasks.classification import Classification
from lrsched.tasks.language_model import LanguageModel
from lrsched.tasks.regression import Regression
from lrsched.tasks.segmentation import Segmentation


class Always(nn.Module):
    """Gives the same row for every sample or place."""

    def __init__(self, row: Tensor) -> None:
        super().__init__()
        self.row = row

    def forward(self, x: Tensor) -> Tensor:
        return self.row.expand(*x.shape[: 2 if not x.is_floating_point() else 1], -1)


def test_wrong_answers_are_pictures() -> None:
    x = torch.arange(4.0).reshape(1, 1, 2, 2).repeat(20, 1, 1, 1)
    y = torch.tensor([0] * 17 + [1, 2, 1])
    shown = Classification().show(Always(torch.tensor([1.0, 0.0, 0.0])), (x, y))
    picture = shown["wrong answers"]
    assert picture.dtype == torch.uint8
    assert picture.shape == (2, 3 * 3 - 1, 3)
    assert picture[:2, :2, 0].tolist() == [[0, 85], [170, 255]]
    assert shown["wrong answers in words"] == "1 taken for 0, 2 taken for 0, 1 taken for 0"
    assert Classification().show(Always(torch.tensor([1.0, 0.0, 0.0])), (x[:17], y[:17])) == {}
    assert Classification().show(Always(torch.tensor([1.0, 0.0, 0.0])), (torch.zeros(3, 4), y[-3:])) == {}


def test_pictures_as_targets_stand_above_their_predictions() -> None:
    y = torch.tensor([0.0, 10.0]).reshape(1, 1, 1, 2).repeat(3, 3, 1, 1)
    task = Regression(target_mean=5.0, target_std=5.0)
    picture = task.show(nn.Identity(), ((y - 5) / 5, y))["target, prediction"]
    assert picture.shape == (3, 8, 3)
    assert torch.equal(picture[0], picture[2])
    assert picture[0, :2, 0].tolist() == [0, 255]
    assert task.show(nn.Identity(), (torch.zeros(3, 2), torch.zeros(3, 2))) == {}


def test_classes_of_pixels_have_colours() -> None:
    y = torch.tensor([[[0, 1, 2]]])
    logits = nn.functional.one_hot(torch.tensor([[[0, 2, 2]]]), 3).movedim(-1, 1).float()
    picture = Segmentation().show(nn.Identity(), (logits, y))["target, prediction"]
    truth, said = picture[-3], picture[-1]
    assert truth.tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert said.tolist() == [[0, 0, 0], [0, 128, 0], [0, 128, 0]]


def test_text_is_written_from_a_prompt_with_a_generator_of_its_own() -> None:
    table = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    model, batch = nn.Embedding.from_pretrained(table), (torch.full((2, 9), 65, dtype=torch.uint8),)
    task = LanguageModel(vocabulary=256, prompt="né", generate=5)
    state = torch.get_rng_state()
    written = task.show(model, batch)["generated"]
    assert written.startswith("né")
    assert task.show(model, batch)["generated"] == written
    assert torch.equal(torch.get_rng_state(), state)
    assert LanguageModel(vocabulary=256, generate=3).show(model, batch)["generated"].startswith("A" * 8)
    assert LanguageModel(generate=0).show(model, batch) == {}


def test_a_low_temperature_writes_the_likeliest_token_and_the_context_has_an_end() -> None:
    seen: list[int] = []

    class Next(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.shape[1])
            return nn.functional.one_hot((x + 1) % 5, 5).float()

    task = LanguageModel(vocabulary=5, prompt="3", generate=6, temperature=1e-3)
    assert task.show(Next(), (torch.zeros(1, 5, dtype=torch.int64),))["generated"] == "3 4 0 1 2 3 4"
    assert seen == [1, 2, 3, 4, 4, 4]
