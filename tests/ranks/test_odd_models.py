"""Models that keep something between passes, or draw from generators that are not torch's, in lanes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lrsched.ranks.packing import Packing
from tests.helpers.ranks import train_on


class Odd(nn.Module):
    """Puts another tensor in the place of its centre, begins to move a scale at its fourth pass, keeps the last means
    it saw in a buffer that grows, and draws its noise in Python and NumPy.
    """

    def __init__(self, features: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(features, 8), nn.Linear(8, outputs, bias)
        self.centre, self.scale = nn.Buffer(torch.zeros(8)), nn.Buffer(torch.ones(8))
        self.passes, self.seen = nn.Buffer(torch.zeros((), dtype=torch.int64)), nn.Buffer(torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.flatten(1))
        if self.training:
            now = h.detach().mean(0)
            self.centre = 0.9 * self.centre + 0.1 * now
            self.passes += 1
            if self.passes > 3:
                self.scale.mul_(0.9).add_(now.abs(), alpha=0.1)
            self.seen = torch.cat([self.seen, now[:1]])[-3:]
            h = h * (1 + 0.1 * random.random() + 0.1 * float(np.random.rand()))
        return self.last((h - self.centre) * self.scale + self.seen.sum())


ODD = ("model=linear", "model._target_=tests.ranks.test_odd_models.Odd", "dataset.batch_size=50", "optimizer=sgd")


def test_what_a_model_keeps_or_draws_is_the_same_on_any_number_of_processes(tmp_path: Path) -> None:
    one, *two = (
        each for size in (1, 2) for each in train_on(tmp_path / str(size), size, (*ODD, "trainer.lanes=2"), updates=6)
    )
    assert all(each == one for each in two)


def test_without_lanes_every_process_keeps_the_same(tmp_path: Path) -> None:
    first, *others = train_on(tmp_path / "3", 3, ODD, updates=6)
    assert all(each == first for each in others)


def test_a_process_without_a_part_has_no_gradient_that_nobody_has() -> None:
    parameter = nn.Parameter(torch.ones(2))
    packing = Packing([parameter], 1, 1)
    parameter.grad = torch.ones(2)
    packing.free(packing.pack(torch.zeros(1, dtype=torch.float64)))  # an update in which it had a part
    nothing = packing.empty()
    nothing.numbers.zero_()  # the sums of the others: none had a gradient of this parameter
    packing.unpack(nothing)
    assert parameter.grad is None
