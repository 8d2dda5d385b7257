"""Data sets whose items are made one by one, and what can go wrong with them."""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from lrsched.data import Data, Source

HERE = "tests.helpers.items"
WORDS = (
    "trainer.epochs=2",
    "trainer.progress=false",
    "logger=none",
    "threads=1",
    "optimizer=sgd",
    "scheduler=constant",
)
TRAIN = (*WORDS, "dataset.batch_size=16", "trainer.log_every=1st", "model=linear")


class Draws(Dataset[tuple[Tensor, int]]):
    """Items of three classes with noise that Python, NumPy and torch draw, each a third."""

    classes = ("a", "b", "c")

    def __init__(self, samples: int = 60) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        noise = torch.tensor([random.random(), *np.random.rand(2)]) + torch.rand(3)
        return torch.eye(3)[number % 3] + 0.2 * noise.float(), number % 3


class Slow(Draws):
    """Takes a while for each item."""

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        time.sleep(0.003)
        return super().__getitem__(number)


class Photos(Dataset[tuple[Tensor, int]]):
    """Images of three colours from 0 to 1, each drawn anew; where ``masks``, with the place of what is bright."""

    classes = ("red", "green", "blue")

    def __init__(self, samples: int = 60, masks: bool = False) -> None:
        self.samples, self.masks = samples, masks

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, number: int) -> tuple[Tensor, Any]:
        x = 0.3 * torch.rand(3, 8, 8)
        x[number % 3, 2:6, 2:6] += 0.1 + 0.6 * random.random()
        return x, ((x.amax(0) > 0.35).long() if self.masks else number % 3)


class Texts(Dataset[tuple[Tensor, int]]):
    """Tokens of one or another kind, 2 to 8 of them."""

    classes = 2

    def __len__(self) -> int:
        return 60

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return torch.full((2 + number % 7,), 1 + number % 2) + 2 * torch.randint(2, (2 + number % 7,)), number % 2


class Bad(Draws):
    """One item of which something goes wrong with.

    Args:
        number: of the item.
        how: what goes wrong.
    """

    def __init__(self, number: int, how: str) -> None:
        super().__init__()
        self.number, self.how = number, how
        self.parent = os.getpid()

    def __getitem__(self, number: int) -> Any:
        x, y = super().__getitem__(number)
        if number != self.number:
            return x, y
        if self.how == "killed" and os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "ended" and os.getpid() != self.parent:
            os._exit(7)
        if self.how == "ended well" and os.getpid() != self.parent:
            os._exit(0)
        return self.wrong(x, y)

    def wrong(self, x: Tensor, y: int) -> Any:
        """What the item is."""
        if self.how == "raises":
            raise OSError("photo.png is truncated")
        if self.how == "exits":
            sys.exit(0)
        if self.how == "interrupts":
            raise KeyboardInterrupt
        return {
            "shape": (x.repeat(2), y),
            "infinite": (x / 0, y),
            "label": (x, 3),
            "text": (x, "three"),
            "columns": (x, y, 1.0),
        }.get(self.how, (x, y))


class OwnGenerator(Draws):
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = np.random.default_rng(0)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.draws.random(3)).float(), number % 3


class Names(Draws):
    """Has words for classes."""

    def __getitem__(self, number: int) -> Any:
        x, y = super().__getitem__(number)
        return x, self.classes[y]


class Stream(IterableDataset[int]):
    """Has no samples by number."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(9))


class Bag(torch.nn.Module):
    """Counts the tokens of a text, of any length.

    Args:
        classes: of the texts.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(8, 4, mode="sum", padding_idx=0)
        self.head = torch.nn.Linear(4, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens))


def draws_from(samples: int) -> Draws:
    """A function that makes a data set."""
    return Draws(samples)


def pairs(items: list[Any]) -> Any:
    """A way to make a batch."""
    return torch.stack([x for x, _ in items]), torch.tensor([y for _, y in items])


class Exits(Draws):
    """Ends the program as it is made."""

    def __init__(self) -> None:
        sys.exit(0)


class Mine(Source):
    """A data set in memory with as many classes as it has workers.

    Args:
        workers: who brought the samples.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def load(self) -> Data:
        """Their samples."""
        y = torch.arange(60) % self.workers
        return Data((torch.eye(self.workers)[y], y))


class Lengths(Draws):
    """Items of three numbers, and from a number on of five."""

    def __init__(self, longer: int) -> None:
        super().__init__()
        self.longer = longer

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        x, y = super().__getitem__(number)
        return torch.cat([x, x[:2]]) if number >= self.longer else x, y


class Targets(Draws):
    """Items with targets of another kind, of which one is wrong.

    Args:
        number: of the wrong one.
        kind: yes (0 or 1, int), share (0.0 or 1.0), labels (several yes or no), number (a float) or mask (pixels).
        wrong: what is wrong with it; None: nothing.
    """

    classes = 3

    def __init__(self, number: int, kind: str, wrong: float | None = None) -> None:
        super().__init__()
        self.number, self.kind, self.wrong = number, kind, wrong

    def __getitem__(self, number: int) -> Any:
        x, _ = super().__getitem__(number)
        value: Any = self.wrong if number == self.number and self.wrong is not None else number % 2
        if self.kind == "mask":
            return x[0].expand(1, 8, 8), torch.full((8, 8) if self.wrong != 0.5 else (2, 8), int(value))
        found = {
            "yes": int(value),
            "share": float(value),
            "labels": torch.tensor([0.0, value]),
            "number": math.inf if number == self.number else 0.1 * number,
        }
        return x, found.get(self.kind, torch.complex(x[0], x[1]))
