"""Batch norm over parts: its running statistics are those of the whole batch; other buffers are the first part's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrsched.ranks.moments import Moments
from lrsched.ranks.world import ALONE


def passed(model: nn.Module, x: Tensor, cuts: list[int]) -> Moments:
    """One update in parts that end at these samples."""
    moments = Moments(model, ALONE)
    sums = torch.zeros(moments.numbers, dtype=torch.float64)
    begin = 0
    with moments.apart():
        for part, end in enumerate(cuts):
            model(x[begin:end])
            moments.see((end - begin) / len(x))
            sums += torch.cat([torch.zeros(0, dtype=torch.float64), *moments.part(part)])
            begin = end
        moments.move(sums)
    return moments


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_are_those_of_the_whole_batch(momentum: float | None) -> None:
    x = torch.randn(30, 3, 5, generator=torch.Generator().manual_seed(0)) * 2 + 7
    layer = nn.BatchNorm1d(3, momentum=momentum)
    layer.train()
    passed(layer, x, [10, 20, 30])
    share = 0.1 if momentum else 1.0
    means = torch.stack([x[begin : begin + 10].double().mean((0, 2)) for begin in (0, 10, 20)])
    spreads = torch.stack([x[begin : begin + 10].double().var((0, 2)) for begin in (0, 10, 20)])
    var = (spreads + means**2).mean(0) - means.mean(0) ** 2
    assert layer.running_mean is not None
    assert layer.running_var is not None
    torch.testing.assert_close(layer.running_mean.double(), share * x.double().mean((0, 2)), rtol=1e-6, atol=0)
    torch.testing.assert_close(layer.running_var.double(), (1 - share) + share * var, rtol=1e-5, atol=0)
    assert layer.num_batches_tracked == 1
    assert layer.momentum == momentum


def test_one_part_is_batch_norm_itself() -> None:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
    ours, torchs = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    for _ in range(3):
        passed(ours, x, [16])
        torchs(x)
    for name, value in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-6, atol=1e-7)


class Odd(nn.Module):
    """Counts its passes, keeps the last mean, and has a layer that only large batches reach."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.rare = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
        self.passes, self.last = nn.Buffer(torch.zeros((), dtype=torch.int64)), nn.Buffer(torch.zeros(2))
        self.fixed = nn.Buffer(torch.arange(3.0))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        self.last.copy_(x.mean(0))
        found: Any = self.norm(x)
        return self.rare(found) if len(x) > 5 else found


def test_another_buffer_begins_each_part_as_at_rest_and_is_the_first_ones() -> None:
    x = torch.randn(12, 2, generator=torch.Generator().manual_seed(2))
    model = Odd()
    before = {name: value.clone() for name, value in model.rare.state_dict().items()}
    moments = passed(model, x, [4, 8, 12])
    assert model.passes == 1
    assert torch.equal(model.last, x[:4].mean(0))
    assert [tuple(moments._others[place].now.shape) for place in moments._moving] == [(), (2,)]
    assert all(torch.equal(value, before[name]) for name, value in model.rare.state_dict().items())


def test_an_error_leaves_the_momentum() -> None:
    layer = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="Expected more than 1 value"):
        passed(layer, torch.randn(3, 2), [1])
    assert layer.momentum == 0.1
