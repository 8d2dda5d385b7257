"""Models of one's own: what their authors get wrong, and lazy ones, which are right."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Body(nn.Module):
    """Logits by one linear layer."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.head = nn.Linear(channels * height * width, classes)

    def forward(self, x: Tensor) -> Any:
        return self.head(x.flatten(1))


class Lazy(nn.Module):
    """Lazy layers, one with statistics of the batch."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten())
        self.head = nn.LazyLinear(classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class Eager(nn.Module):
    """The same network as :class:`Lazy` with its shapes given."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.body = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(4 * (height - 2) * (width - 2), classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class NeverCalled(Body):
    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(input_shape, classes)
        self.spare = nn.LazyLinear(3)


class GivesTuple(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x), x


class GivesDict(Body):
    def forward(self, x: Tensor) -> Any:
        return {"logits": super().forward(x)}


class DictInEvaluation(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x) if self.training else {"logits": super().forward(x)}


class GivesNothing(Body):
    def forward(self, x: Tensor) -> Any:
        self.head(x.flatten(1))


class TooNarrow(Body):
    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(input_shape, classes - 1)


class TooWide(Body):
    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(input_shape, classes + 5)


class FlatOutput(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x).argmax(1).float()


class GivesWholeNumbers(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x).long()


class GivesComplex(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x).to(torch.complex64)


class GivesDoubles(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x).double()


class Detached(Body):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x).detach()


class WrongShape(Body):
    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(input_shape, classes)
        self.head = nn.Linear(7, classes)


class Raising(Body):
    def forward(self, x: Tensor) -> Any:
        raise KeyError("mask")


class Drawing(Body):
    """Draws from every generator, and counts its calls where no checkpoint looks."""

    calls = 0

    def forward(self, x: Tensor) -> Any:
        import random

        import numpy as np

        self.calls += 1
        drawn = torch.rand(()).item() + random.random() + float(np.random.rand())
        return super().forward(x) * (1 + drawn / 10 + self.calls / 1000)
