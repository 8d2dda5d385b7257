"""Losses and metrics beside formulas written out by hand, PyTorch's own means and scikit-learn's scores."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score, r2_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, huber_loss, l1_loss, mse_loss

from lrsched.tasks.binary import Binary
from lrsched.tasks.classification import Classification
from lrsched.tasks.language_model import LanguageModel
from lrsched.tasks.regression import Regression
from lrsched.tasks.segmentation import Segmentation
from tests.tasks.cases import CASES, HALF, IGNORED, WEIGHT, N, evaluated, model_of

SAME = nn.Identity()


# Classification


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_weights_are_those_of_pytorch(smoothing: float) -> None:
    x, y = CASES["classification"][2]
    weights = (1.0, 0.5, 3.0)
    task = Classification(class_weights=weights, label_smoothing=smoothing)
    logits = model_of("rows")(x)
    expected = cross_entropy(logits, y, torch.tensor(weights), label_smoothing=smoothing)
    assert task.loss(model_of("rows"), (x, y)).item() == pytest.approx(expected.item(), rel=1e-6)
    assert float(task.weight((x, y))) == sum(weights[label] for label in y.tolist())


def test_the_plain_loss_of_classification_is_pytorchs_to_the_bit() -> None:
    _, model, (x, y) = CASES["classification"]
    assert torch.equal(Classification().loss(model, (x, y)), cross_entropy(model(x), y))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int16, torch.int64])
def test_labels_may_be_of_any_whole_type(dtype: torch.dtype) -> None:
    task, model, (x, y) = CASES["classification"]
    assert torch.equal(task.loss(model, (x, y.to(dtype))), task.loss(model, (x, y)))
    assert evaluated(task, model, [(x, y.to(dtype))]) == evaluated(task, model, [(x, y)])


def test_labels_may_be_true_and_false() -> None:
    model, x = model_of("rows", 2), CASES["classification"][2][0]
    y = torch.arange(N) % 2
    task = Classification(classes=2)
    assert torch.equal(task.loss(model, (x, y.bool())), task.loss(model, (x, y)))
    assert evaluated(task, model, [(x, y.bool())]) == evaluated(task, model, [(x, y)])


SOFT = torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.1, 0.9], [0.4, 0.4, 0.2]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (1.0, 0.5, 3.0)])
@pytest.mark.parametrize("sample", [None, torch.tensor([1.0, 2.0, 0.0, 0.5])])
def test_soft_targets_by_hand(smoothing: float, weights: Any, sample: Tensor | None) -> None:
    """−Σ w·t·log p over the weights Σ w·t, with t mixed with the uniform one by the smoothing in the loss alone."""
    logits = torch.tensor([[1.0, 2, 0], [0, 0, 1], [-1, 0, 2], [3, 1, 1]])
    log, w = logits.double().log_softmax(1), torch.tensor(weights or (1.0, 1, 1)).double()
    each, s = SOFT.double(), torch.ones(4).double() if sample is None else sample.double()
    weight = float((s[:, None] * w * each).sum())
    smooth = (1 - smoothing) * each + smoothing / 3
    task = Classification(class_weights=weights, label_smoothing=smoothing)
    batch = (logits, SOFT) if sample is None else (logits, SOFT, sample)
    assert float(task.weight(batch)) == pytest.approx(weight, rel=1e-6)
    assert float(task.loss(SAME, batch)) == pytest.approx(
        -float((s[:, None] * w * smooth * log).sum()) / weight, rel=1e-6
    )
    found = evaluated(task, SAME, [batch])
    assert found["loss"] == pytest.approx(-float((s[:, None] * w * each * log).sum()) / weight, rel=1e-6)
    assert found["accuracy"] == 3 / 4  # the second is taken for class 2


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"class_weights": (1.0, 0.5, 3.0)}])
def test_a_soft_target_that_is_one_class_is_that_label(options: dict[str, Any]) -> None:
    _, model, (x, y) = CASES["classification"]
    task = Classification(**options)
    soft = torch.eye(3)[y]
    assert task.loss(model, (x, soft)).item() == pytest.approx(task.loss(model, (x, y)).item(), rel=1e-6)
    assert float(task.weight((x, soft))) == pytest.approx(float(task.weight((x, y))), rel=1e-6)
    assert evaluated(task, model, [(x, soft)]) == pytest.approx(evaluated(task, model, [(x, y)]), rel=1e-6)


# Regression


@pytest.mark.parametrize(("name", "bare"), [("mse", mse_loss), ("mae", l1_loss), ("huber", huber_loss)])
def test_the_loss_of_regression_is_pytorchs_of_the_standardised_target_to_the_bit(name: Any, bare: Any) -> None:
    x, y = CASES["regression"][2]
    model = model_of("rows", 1)
    task = Regression(loss=name, target_mean=0.3, target_std=1.7)
    assert torch.equal(task.loss(model, (x, y)), bare(model(x).squeeze(1), (y - 0.3) / 1.7))
    assert torch.equal(Regression(loss=name).loss(model, (x, y)), bare(model(x).squeeze(1), y))


def test_metrics_of_regression_by_hand() -> None:
    y = torch.tensor([1.0, 2.0, 3.0, 6.0])
    said = torch.tensor([2.0, 2.0, 2.0, 4.0])  # errors 1, 0, −1, −2; mean of y 3, squares 4 + 1 + 0 + 9
    task = Regression(target_mean=2.0, target_std=4.0, range=10.0)
    found = evaluated(task, SAME, [((said - 2) / 4, y)])
    expected = {"loss": 6 / 4 / 16, "mae": 1.0, "rmse": math.sqrt(6 / 4), "r2": 1 - 6 / 14}
    expected["psnr"] = 10 * math.log10(100 / (6 / 4))
    assert found == pytest.approx(expected, rel=1e-12)
    assert torch.equal(task.answer((said - 2) / 4), said)


def test_weights_of_regression_by_hand() -> None:
    y, said, weight = torch.tensor([0.0, 1.0, 5.0]), torch.tensor([1.0, 1.0, 3.0]), torch.tensor([2.0, 1.0, 1.0])
    found = evaluated(Regression(), SAME, [(said, y, weight)])
    square, mean = (2 * 1 + 0 + 4) / 4, 6 / 4
    spread = 2 * mean**2 + (1 - mean) ** 2 + (5 - mean) ** 2
    assert found == pytest.approx(
        {"loss": square, "mae": 1.0, "rmse": math.sqrt(square), "r2": 1 - 6 / spread}, rel=1e-12
    )


def test_r2_is_that_of_scikit_learn_far_from_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(50, 2, generator=generator, dtype=torch.float64) * torch.tensor([1e-2, 30]) + 1e6
    said = y + torch.randn(50, 2, generator=generator, dtype=torch.float64) * torch.tensor([5e-3, 20])
    mean, std = y.mean(0), y.std(0, correction=0)
    task = Regression(target_mean=tuple(mean.tolist()), target_std=tuple(std.tolist()))
    found = evaluated(task, SAME, [(((said - mean) / std)[:20], y[:20]), (((said - mean) / std)[20:], y[20:])])
    assert found["r2"] == pytest.approx(r2_score(y, said), rel=1e-6)
    assert found["rmse"] == pytest.approx(float((said - y).square().mean().sqrt()), rel=1e-6)
    assert found["mae"] == pytest.approx(float((said - y).abs().mean()), rel=1e-6)


def test_pictures_as_targets_have_one_r2() -> None:
    y = torch.randn(N, 1, 2, 2, generator=torch.Generator().manual_seed(1)) + torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    mean = tuple(y.mean(0).flatten().tolist())
    said = y + 0.1
    task = Regression(target_mean=mean, target_std=(1.0, 2.0, 1.0, 1.0))
    shift, scale = torch.tensor(mean).reshape(1, 2, 2), torch.tensor([[1.0, 2.0], [1.0, 1.0]])
    found = evaluated(task, SAME, [((said - shift) / scale, y)])
    assert found["r2"] == pytest.approx(r2_score(y.flatten(), said.flatten()), rel=1e-5)
    torch.testing.assert_close(task.answer((said - shift) / scale), said, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("error", "r2"), [(0.0, 1.0), (0.5, 0.0)])
def test_a_constant_target_has_r2_1_or_0(error: float, r2: float) -> None:
    y = torch.full((8,), 0.3)
    for mean in (0.0, 0.1, float(y[0])):  # the sums differ from 0 by their rounding, and count as 0
        said = y.double() - mean + error
        assert evaluated(Regression(target_mean=mean), SAME, [(said, y)])["r2"] == r2


def test_an_exact_prediction_has_a_finite_psnr() -> None:
    y = torch.arange(4.0)
    assert evaluated(Regression(range=3.0), SAME, [(y, y)])["psnr"] == 200.0


def test_whole_numbers_and_float64_are_targets_too() -> None:
    x = torch.tensor([[1.0], [2.0]])
    for y in (torch.tensor([0, 4]), torch.tensor([0, 4], dtype=torch.uint8), torch.tensor([0.0, 4.0]).double()):
        assert (
            Regression(target_mean=2.0, target_std=2.0).loss(SAME, (x, y)).item() == ((1 + 1) ** 2 + (2 - 1) ** 2) / 2
        )
    y = torch.tensor([1e9, 1e9 + 2], dtype=torch.float64)  # float32 has no such difference
    assert Regression(target_mean=1e9 + 1).loss(SAME, (torch.tensor([-1.0, 1.0]), y)).item() == 0
    assert torch.tensor([1e9 + 2]).item() == 1e9


def test_psnr_is_there_with_the_range_alone() -> None:
    assert "psnr" in Regression.better
    assert "psnr" in Regression(range=1.0).better
    assert list(Regression().better) == ["loss", "mae", "rmse", "r2"]


# Binary


@pytest.mark.parametrize("weight", [None, 3.0])
def test_the_loss_of_binary_is_pytorchs_to_the_bit(weight: float | None) -> None:
    _, model, (x, y) = CASES["binary"]
    pos = None if weight is None else torch.tensor(weight)
    expected = binary_cross_entropy_with_logits(model(x).squeeze(1), y.float(), pos_weight=pos)
    for target in (y, y.bool(), y.float(), y.to(torch.uint8), y.double()):
        assert torch.equal(Binary(pos_weight=weight).loss(model, (x, target)), expected)


def test_smoothing_of_binary_by_hand() -> None:
    logit, q = torch.tensor([[0.7]]), 0.9 * 1 + 0.05
    sigma = 1 / (1 + math.exp(-0.7))
    expected = -(q * math.log(sigma) + (1 - q) * math.log(1 - sigma))
    task = Binary(label_smoothing=0.1)
    assert task.loss(SAME, (logit, torch.tensor([1]))).item() == pytest.approx(expected, rel=1e-6)
    assert evaluated(task, SAME, [(logit, torch.tensor([1]))])["loss"] == pytest.approx(-math.log(sigma), rel=1e-6)


def test_decisions_over_several_targets_are_those_of_scikit_learn() -> None:
    _, model, (x, y, _) = CASES["binary of three"]
    said = (model(x) > 0).long()
    found = evaluated(Binary(), model, [(x[:5], y[:5]), (x[5:], y[5:])])
    assert found["accuracy"] == float((said == y).double().mean())
    assert found["f1"] == pytest.approx(f1_score(y, said, average="macro"), rel=1e-12)
    assert evaluated(Binary(), SAME, [(torch.full((2, 1), -1.0), torch.zeros(2, 1))])["f1"] == 0
    assert Binary().answer(torch.full((1,), -3.0)).item() == -3  # a logit stays one


# Language model


def test_the_loss_of_a_language_model_is_pytorchs_to_the_bit() -> None:
    task, model, (tokens,) = CASES["language model"]
    logits = model(tokens[:, :-1])
    expected = cross_entropy(logits.reshape(-1, 5), tokens[:, 1:].reshape(-1))
    assert torch.equal(task.loss(model, (tokens,)), expected)
    assert torch.equal(task.loss(model, (tokens.to(torch.uint8),)), expected)
    assert torch.equal(task.loss(model, (tokens[:, :-1], tokens[:, 1:])), expected)
    assert torch.equal(task.loss(model, {"tokens": tokens}), expected)
    assert task.weight((tokens,)) == N * 6
    assert type(task.weight((tokens,))) is int


def test_ignored_tokens_count_nowhere() -> None:
    task, model, (x, y) = CASES["language model padded"]
    expected = cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=7)
    assert task.loss(model, (x, y)).item() == pytest.approx(expected.item(), rel=1e-6)
    assert int(task.weight((x, y))) == int((IGNORED != 7).sum())
    nothing = (x[3:6], y[3:6])
    loss = task.loss(model, nothing)
    assert loss.item() == 0
    assert int(task.weight(nothing)) == 0
    assert loss.requires_grad


def test_perplexity_and_bits() -> None:
    task = LanguageModel(vocabulary=256)
    uniform = nn.Embedding.from_pretrained(torch.zeros(256, 256))
    tokens = torch.arange(40).reshape(4, 10)
    found = evaluated(task, uniform, [(tokens[:3],), (tokens[3:],)])
    assert found == pytest.approx({"loss": math.log(256), "perplexity": 256, "bits_per_byte": 8}, rel=1e-6)
    assert "bits_per_byte" not in LanguageModel(vocabulary=50).better
    assert "bits_per_byte" in LanguageModel.better
    assert math.isfinite(LanguageModel().metrics({"loss": torch.tensor(1e6)}, 1)["perplexity"])


# Segmentation


def test_the_loss_of_segmentation_is_pytorchs_of_flat_pixels_to_the_bit() -> None:
    task, model, (x, y) = CASES["segmentation"]
    flat = model(x).permute(0, 2, 3, 1).reshape(-1, 3)
    assert torch.equal(task.loss(model, (x, y)), cross_entropy(flat, y.reshape(-1)))
    assert task.loss(model, (x, y)).item() == pytest.approx(cross_entropy(model(x), y).item(), rel=1e-6)
    assert task.weight((x, y)) == N * 9
    assert type(task.weight((x, y))) is int


def test_ignored_pixels_and_class_weights_are_those_of_pytorch() -> None:
    task, model, (x, y) = CASES["segmentation ignoring"]
    expected = cross_entropy(model(x), y, torch.tensor([1.0, 4.0]), ignore_index=255)
    assert task.loss(model, (x, y)).item() == pytest.approx(expected.item(), rel=1e-6)
    assert task.loss(model, (x[:4], HALF[:4])).item() == 0


def test_miou_is_scikit_learns_over_the_classes_that_are_there() -> None:
    _, model, (x, y) = CASES["segmentation"]
    said = model(x).argmax(1).flatten()
    found = evaluated(Segmentation(classes=3), model, [(x[:1], y[:1]), (x[1:], y[1:])])
    assert found["miou"] == pytest.approx(jaccard_score(y.flatten(), said, average="macro"), rel=1e-12)
    assert found["accuracy"] == float((said == y.flatten()).double().mean())
    one_hot = nn.functional.one_hot(torch.tensor([[[0, 1], [1, 1]]]), 5).movedim(-1, 1).float()
    only = evaluated(Segmentation(classes=5), SAME, [(one_hot, torch.tensor([[[0, 1], [1, 0]]]))])
    assert only["miou"] == pytest.approx((1 / 2 + 2 / 3) / 2, rel=1e-12)  # classes 2, 3, 4 are nowhere


def test_sample_weights_by_hand() -> None:
    _, model, (x, y) = CASES["segmentation"]
    each: Tensor = cross_entropy(model(x), y, reduction="none").mean((1, 2)).detach()
    expected = float((each * WEIGHT).sum() / WEIGHT.sum())
    assert Segmentation().loss(model, (x, y, WEIGHT)).item() == pytest.approx(expected, rel=1e-6)
