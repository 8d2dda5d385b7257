"""Operations against counts by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from lrsched.machine.operations import Operations
from lrsched.models import CNN, GPT, MLP
from tests.helpers.house import in_a_fresh_process


def counted(compute: Callable[[], object]) -> int:
    with Operations() as found:
        compute()
    return found.total


def ones(*shape: int) -> Tensor:
    return torch.ones(*shape)


@pytest.mark.parametrize(
    ("compute", "operations"),
    [
        (lambda: ones(2, 3) @ ones(3, 5), 2 * 2 * 3 * 5),
        (lambda: ones(7, 2, 3) @ ones(7, 3, 5), 7 * 2 * 2 * 3 * 5),
        (lambda: ones(2, 3) @ ones(3), 2 * 2 * 3),
        (lambda: torch.einsum("bij,bjk->bik", ones(4, 2, 3), ones(4, 3, 5)), 4 * 2 * 2 * 3 * 5),
        (lambda: nn.Linear(3, 5)(ones(4, 3)), 4 * 2 * 3 * 5),
        (lambda: nn.Linear(3, 5, bias=False)(ones(4, 6, 3)), 4 * 6 * 2 * 3 * 5),
        (lambda: nn.Conv2d(3, 8, 5, padding=2)(ones(2, 3, 10, 10)), 2 * 100 * 8 * 2 * 3 * 25),
        (lambda: nn.Conv2d(4, 8, 3, stride=2, groups=2)(ones(1, 4, 9, 9)), 16 * 8 * 2 * 2 * 9),
        (lambda: nn.Conv1d(2, 3, 4)(ones(5, 2, 10)), 5 * 7 * 3 * 2 * 2 * 4),
        (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2)(ones(1, 4, 5, 5)), 25 * 4 * 2 * 6 * 4),
        (
            lambda: scaled_dot_product_attention(ones(2, 3, 7, 8), ones(2, 3, 7, 8), ones(2, 3, 7, 8)),
            2 * 3 * (2 * 7 * 7 * 8) * 2,
        ),
        (lambda: nn.LSTM(3, 5)(ones(7, 2, 3)), 7 * 2 * 2 * (4 * 5 * 3 + 4 * 5 * 5)),
        (lambda: nn.Embedding(9, 4)(torch.zeros(3, dtype=torch.long)), 0),
        (lambda: nn.ReLU()(ones(100)) + nn.LayerNorm(4)(ones(5, 4)).sum(), 0),
    ],
)
def test_each_kind_of_layer(compute: Callable[[], object], operations: int) -> None:
    torch.manual_seed(0)
    assert counted(compute) == operations
    with torch.no_grad():
        assert counted(compute) == operations
    with torch.device("meta"):
        assert counted(compute) == operations


def test_whole_models() -> None:
    mlp = MLP(input_shape=(1, 28, 28), classes=10, hidden=(128,))
    assert counted(lambda: mlp(ones(4, 1, 28, 28))) == 4 * 2 * (784 * 128 + 128 * 10)
    cnn = CNN(input_shape=(1, 28, 28), classes=10, channels=(16, 32), hidden=128)
    convolutions = 28 * 28 * 16 * 9 + 14 * 14 * 32 * 16 * 9
    assert counted(lambda: cnn(ones(3, 1, 28, 28))) == 3 * 2 * (convolutions + 7 * 7 * 32 * 128 + 128 * 10)
    gpt = GPT(vocabulary=11, context=6, layers=2, heads=2, width=8)
    block = 6 * 12 * 8 * 8 + 2 * 6 * 6 * 8  # 12·width² weights for each token; each token meets each
    assert counted(lambda: gpt(torch.zeros(5, 6, dtype=torch.long))) == 5 * 2 * (2 * block + 6 * 8 * 11)


def test_the_backward_pass_has_twice_as_many() -> None:
    layer, x = nn.Linear(3, 5), ones(4, 3).requires_grad_()
    forward = counted(lambda: layer(x))
    loss = layer(x).sum()
    assert counted(loss.backward) == 2 * forward


def test_what_it_does_not_know_is_computed_all_the_same() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 5)
    plain = torch.linalg.qr(x)
    with Operations() as found:
        seen = torch.linalg.qr(x)
    assert found.total == 0
    assert all(map(torch.equal, plain, seen))


@pytest.mark.slow
def test_counting_imports_no_compiler() -> None:
    """It takes a second, at the start of every run and in every forked job."""
    code = (
        "import sys, torch\nfrom lrsched.machine.operations import Operations\n"
        "with Operations() as counted: torch.ones(2, 3) @ torch.ones(3, 5)\n"
        "print(counted.total, 'torch._dynamo' in sys.modules)"
    )
    assert in_a_fresh_process(code).split() == ["60", "False"]
