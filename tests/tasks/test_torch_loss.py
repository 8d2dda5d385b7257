"""Every loss of ``torch.nn`` that takes an output and a target is a task; the others say why they are none."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from lrsched.data.data import Data
from lrsched.errors import ConfigError, DataError
from lrsched.tasks._torch_losses import REFUSED
from lrsched.tasks.torch_loss import TorchLoss, loss_task, task_class
from tests.tasks.cases import N, cut, evaluated, gradients

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "conf" / "task" / "torch").glob("*.yaml"))
SAME = nn.Identity()


def taken(file: Path) -> tuple[type[nn.Module], dict[str, Any]]:
    node = yaml.safe_load(file.read_text("utf-8"))
    target = node.pop("_target_")
    cls = getattr(nn, target.rpartition(".")[2])
    assert f"torch.nn.{cls.__name__}" == target
    assert file.stem == cls.__name__
    return cls, node


def samples(name: str) -> tuple[Tensor, Tensor]:
    """Outputs and targets that the loss is defined for."""
    draws = torch.Generator().manual_seed(0)
    output, yes = torch.randn(N, 3, generator=draws), torch.randint(0, 2, (N, 3), generator=draws)
    labels = torch.randint(0, 3, (N,), generator=draws)
    if name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        return output.log_softmax(1), labels
    if name == "MultiLabelMarginLoss":
        return output, torch.stack([labels, torch.full_like(labels, -1), labels], 1)
    if name in ("SoftMarginLoss", "HingeEmbeddingLoss"):
        return output, 2 * yes - 1
    if name == "BCELoss":
        return output.sigmoid(), yes
    if name in ("BCEWithLogitsLoss", "MultiLabelSoftMarginLoss", "PoissonNLLLoss"):
        return output, yes
    if name == "KLDivLoss":
        return output.log_softmax(1), torch.rand(N, 3, generator=draws)
    return output, torch.randn(N, 3, generator=draws)


every = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


def test_every_loss_of_pytorch_has_a_file_or_a_reason() -> None:
    found = {name for name, it in vars(nn).items() if isinstance(it, type) and issubclass(it, nn.modules.loss._Loss)}
    assert {file.stem for file in FILES} == found - set(REFUSED)


@every
def test_an_argument_has_the_default_of_the_class(file: Path) -> None:
    cls, arguments = taken(file)
    parameters = inspect.signature(cls).parameters
    own = set() if file.stem == "KLDivLoss" else {"reduction"}
    assert set(arguments) == set(parameters) - {"size_average", "reduce"} - own
    for name, value in arguments.items():
        assert value == parameters[name].default
        assert type(value) is type(parameters[name].default)


@every
def test_it_is_pytorchs_loss_to_the_bit(file: Path) -> None:
    cls, arguments = taken(file)
    task = loss_task(cls, arguments)
    output, y = samples(file.stem)
    labels = file.stem in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "MultiLabelMarginLoss")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of the mean of KLDivLoss
        expected = cls()(output, y if labels else y.float())
    assert torch.equal(task.loss(SAME, (output, y)), expected)
    task.check(Data((output, y)))
    assert task.complaint(output, (output, y)) == ""
    assert task_class(cls).better == {"loss": "min"} == task.better


@every
def test_its_mean_does_not_depend_on_how_a_batch_is_cut(file: Path) -> None:
    cls, arguments = taken(file)
    task = loss_task(cls, arguments)
    output, y = samples(file.stem)
    model = _Shift()
    pieces = cut((output, y), 1, 5)
    assert evaluated(task, model, pieces) == pytest.approx(evaluated(task, model, [(output, y)]), rel=1e-6)
    (one,), (ours,) = gradients(task, model, [(output, y)]), gradients(task, model, pieces)
    torch.testing.assert_close(ours, one, rtol=1e-6, atol=1e-6)


class _Shift(nn.Module):
    """Its input, moved by nothing that a gradient can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


def test_a_list_is_a_tensor_of_weights() -> None:
    output, y = samples("CrossEntropyLoss")
    weight = [1.0, 0.0, 5.0]
    task = loss_task(nn.CrossEntropyLoss, {"weight": weight})
    expected = nn.CrossEntropyLoss(weight=torch.tensor(weight))(output, y)
    assert task.loss(SAME, (output, y)).item() == pytest.approx(expected.item(), rel=1e-6)
    output, y = samples("BCEWithLogitsLoss")
    task = loss_task(nn.BCEWithLogitsLoss, {"pos_weight": weight, "weight": [2, 1, 1]})
    bare = nn.BCEWithLogitsLoss(weight=torch.tensor([2.0, 1, 1]), pos_weight=torch.tensor(weight))
    assert torch.equal(task.loss(SAME, (output, y)), bare(output, y.float()))


def test_the_divergence_over_samples_is_pytorchs() -> None:
    output, y = samples("KLDivLoss")
    task = loss_task(nn.KLDivLoss, {"reduction": "batchmean"})
    assert torch.equal(task.loss(SAME, (output, y)), nn.KLDivLoss(reduction="batchmean")(output, y))
    weighted = task.loss(SAME, (output, y, torch.ones(N)))
    assert weighted.item() == pytest.approx(task.loss(SAME, (output, y)).item(), rel=1e-6)


def test_pixels_and_probabilities_are_targets_of_cross_entropy() -> None:
    draws = torch.Generator().manual_seed(0)
    output, y = torch.randn(4, 3, 2, 2, generator=draws), torch.randint(0, 3, (4, 2, 2), generator=draws)
    y[0] = -100
    task = loss_task(nn.CrossEntropyLoss, {})
    assert task.loss(SAME, (output, y)).item() == pytest.approx(nn.CrossEntropyLoss()(output, y).item(), rel=1e-6)
    assert int(task.weight((output, y))) == 12
    assert task.complaint(output, (output, y)) == ""
    assert task.complaint(output[:, :, :1], (output, y))
    share = torch.rand(4, 3, 2, 2, generator=draws)
    assert torch.equal(task.loss(SAME, (output, share)), nn.CrossEntropyLoss()(output, share))
    assert task.weight((output, share)) == 4


def test_the_shape_of_the_target_is_never_broadcast() -> None:
    task = loss_task(nn.MSELoss, {})
    assert task.loss(SAME, (torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0]))).item() == 2.0
    for output, y in ((torch.zeros(3), torch.zeros(3, 1)), (torch.zeros(3, 2), torch.zeros(3))):
        assert task.complaint(output, (output, y))
        with pytest.raises(ConfigError, match="the shapes must be the same"):
            task.loss(SAME, (output, y))


@pytest.mark.parametrize("name", REFUSED)
def test_a_loss_of_other_inputs_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(ConfigError, match=f"torch.nn.{name}.*: {REFUSED[name]}"):
        task_class(getattr(nn, name))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"reduction": "sum"}, "reduction=sum: must be mean"),
        ({"reduce": True}, "takes no such argument"),
        ({"wieght": [1, 2]}, "wieght=.*did you mean .*weight"),
        ({"weight": ["a"]}, "weight=.*: must be a list of numbers"),
        ({"weight": [[1, 2]]}, "weight=.*: must be a list of numbers"),
        ({"reduction": "batchmean"}, "reduction=batchmean: must be mean"),
        ({"weight": [0, 1, 1], "label_smoothing": 0.1}, "a weight of 0 does not go with label_smoothing"),
    ],
)
def test_an_argument_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        loss_task(nn.CrossEntropyLoss, arguments)
    assert loss_task(nn.CrossEntropyLoss, {"reduction": "mean"}) != loss_task(nn.CrossEntropyLoss, {})


@pytest.mark.parametrize(
    ("name", "y", "words"),
    [
        ("SoftMarginLoss", torch.tensor([1.0, 0.0]), r"sample 1 \(from 0\) has the target 0.0; targets are −1 and 1"),
        ("BCEWithLogitsLoss", torch.tensor([0.5, 1.5]), "sample 1 .* target 1.5; targets lie between 0 and 1"),
        ("PoissonNLLLoss", torch.tensor([3, -1]), "sample 1 .* target -1; targets are counts"),
        ("NLLLoss", torch.tensor([0.0, 1.0]), "targets must be whole numbers, not float32"),
        ("CrossEntropyLoss", torch.tensor([0, -1]), r"sample 1 \(from 0\) has the label -1"),
        ("MultiLabelMarginLoss", torch.tensor([[0, -1], [-2, 1]]), "sample 1 .* target -2"),
        ("L1Loss", torch.tensor([2.5, 2.5]), "the target is 2.5 in every sample"),
        ("MSELoss", torch.tensor([1j, 2j]), "targets must be real numbers, not complex64"),
    ],
)
def test_targets_that_a_loss_is_not_defined_for_are_refused(name: str, y: Tensor, words: str) -> None:
    with pytest.raises(DataError, match=words):
        loss_task(getattr(nn, name), {}).check(Data((torch.zeros(2, 3), y)))


def test_a_stranger_is_no_task() -> None:
    with pytest.raises(ConfigError, match=r"is no task, and no loss of torch\.nn"):
        task_class(nn.Linear)
    assert task_class(nn.L1Loss) is TorchLoss is task_class(TorchLoss)
    assert loss_task(nn.L1Loss, {}).facts({"targets": 2}) == {"outputs": 2, "targets": 2}
    assert loss_task(nn.NLLLoss, {}).facts({"classes": 3}) == {"outputs": 3, "classes": 3}
