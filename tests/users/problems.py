"""Problems as their users write them: at most one file and one YAML, and the data that they have."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

QUANTILE = '''
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrsched.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Quantile(Task):
    """A quantile of the target, by its pinball loss, and the share of targets that lie below it."""

    better: ClassVar = {"loss": "min", "covered": "max"}

    q: float = 0.5

    def loss(self, model, batch):
        x, y = batch
        error = y - model(x).squeeze(1)
        return torch.maximum(self.q * error, (self.q - 1) * error).mean()

    def measure(self, model, batch):
        x, y = batch
        return {**super().measure(model, batch), "covered": (y <= model(x).squeeze(1)).sum()}
'''

SHAPES = '''
from dataclasses import dataclass

import torch
from torch import nn

from lrsched.data import Data, Source


@dataclass(frozen=True, kw_only=True)
class Shapes(Source):
    """Discs of any size on noise: 1 inside, 0 outside."""

    samples: int = 120
    size: int = 12

    def load(self):
        draw = torch.Generator().manual_seed(0)
        middle = torch.rand(self.samples, 2, 1, 1, generator=draw) * self.size
        radius = 2 + 3 * torch.rand(self.samples, 1, 1, generator=draw)
        grid = torch.stack(torch.meshgrid(*2 * [torch.arange(float(self.size))], indexing="ij"))
        mask = ((grid - middle).square().sum(1).sqrt() < radius).long()
        x = mask[:, None] + 0.7 * torch.randn(mask[:, None].shape, generator=draw)
        return Data((x, mask), facts={"classes": 2})


class Net(nn.Module):
    """Two convolutions."""

    def __init__(self, classes, width: int = 8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, classes, 3, padding=1)
        )

    def forward(self, x):
        return self.layers(x)
'''


STUDY = """
import sys

import torch
from torch import nn

import lrsched
from lrsched.tasks import Regression

draw = torch.Generator().manual_seed(0)
x = torch.rand(200, 4, generator=draw)
y = 3 * x[:, 0] + torch.sin(6 * x[:, 1]) + 0.1 * torch.randn(200, generator=draw)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))

words = sys.argv[1:]
schedules = words.pop().removeprefix("schedules=").split(",") if "schedules" in words[-1] else [None]
for schedule in schedules:
    more = [] if schedule is None else [f"scheduler={schedule}", f"name={schedule.replace('/', '-')}"]
    run = lrsched.run([*words, *more], model=model, data=(x, y), task=Regression(loss="huber"))
    print(run.result["status"], run.result["metrics"]["val/rmse"], run.predict(x[:3]).squeeze().tolist())
"""


def houses(place: Path) -> None:
    """A table of numbers and words, and a price with noise that grows with the size."""
    draw = random.Random(0)
    lines = ["size,rooms,town,price"]
    for _ in range(200):
        size, rooms, town = draw.uniform(40, 200), draw.randint(1, 6), draw.choice(["Ulm", "Bonn", "Kiel"])
        price = 3 * size + 10 * rooms + {"Ulm": 0, "Bonn": 80, "Kiel": 40}[town] + draw.gauss(0, size / 4)
        lines.append(f"{size:.1f},{rooms},{town},{price:.1f}")
    (place / "houses.csv").write_text("\n".join(lines) + "\n", "utf-8")


def book(place: Path) -> None:
    """A text with rules that a model can learn."""
    draw = random.Random(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "sang"]
    (place / "book.txt").write_text(" ".join(draw.choice(words) for _ in range(1500)), "utf-8")


def sounds(place: Path) -> None:
    """Signals of sixty numbers in which any of three tones can be heard, in one archive."""
    draw = np.random.default_rng(0)
    heard = draw.integers(0, 2, (200, 3))
    tones = np.stack([np.sin(np.arange(60) * pitch) for pitch in (0.3, 0.7, 1.9)])
    x = (heard @ tones + draw.normal(0, 0.5, (200, 60))).astype(np.float32)
    np.savez(place / "sounds.npz", x=x, y=heard)


BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 257,
    "max_position_embeddings": 64,
}


def docstrings(place: Path) -> None:
    """Lines of the docstrings of two of Python's own modules, as bytes + 1, in a data set that ``datasets`` saved."""
    import argparse
    import statistics

    from datasets import ClassLabel, Dataset, Features, Value

    def lines(module: object) -> list[str]:
        held = [module, *(item for item in vars(module).values() if callable(item))]
        said = "\n".join(str(getattr(item, "__doc__", "")) for item in held)
        return [line.strip() for line in said.splitlines() if len(line.strip()) > 20][:120]

    texts = [(line, label) for label, module in enumerate((argparse, statistics)) for line in lines(module)]
    tokens = [[byte + 1 for byte in line.encode()[:60]] for line, _ in texts]
    named = {"input_ids": [Value("int64")], "attention_mask": [Value("int64")]}
    kinds = Features({**named, "label": ClassLabel(names=["argparse", "statistics"])})
    columns = {
        "input_ids": tokens,
        "attention_mask": [[1] * len(line) for line in tokens],
        "label": [label for _, label in texts],
    }
    Dataset.from_dict(columns, features=kinds).save_to_disk(str(place / "saved"))
    (place / "bert").mkdir()
    (place / "bert" / "config.json").write_text(json.dumps(BERT), "utf-8")


@dataclass(frozen=True)
class Problem:
    """What a user has, and types.

    Args:
        words: behind ``lrsched train``, or behind ``python SCRIPT``.
        metric: of its own, that a report compares.
        data: makes the files of data that the user has.
        files: code and YAML that the user writes, by name.
        trust: modules that the user's own environment names.
        script: that trains, or empty: the command line does.
        needs: packages of extras.
    """

    words: tuple[str, ...]
    metric: str
    data: Callable[[Path], None] = lambda place: None
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    trust: str = ""
    script: str = ""
    needs: tuple[str, ...] = ()

    @property
    def train(self) -> tuple[str, str]:
        """The command that trains."""
        return ("python", self.script) if self.script else ("lrsched", "train")

    def write(self, place: Path) -> None:
        """Put the files where the user works."""
        self.data(place)
        for name, text in self.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text.lstrip(), "utf-8")


PROBLEMS = {
    "quantile of a table": Problem(
        (
            *("--config-dir", "conf", "dataset=table", "dataset.path=houses.csv", "dataset.target=price"),
            *("task=quantile", "model=mlp", "optimizer=adamw", "optimizer.lr=0.05", "dataset.batch_size=16"),
        ),
        "val/covered",
        houses,
        {"quantile.py": QUANTILE, "conf/task/quantile.yaml": "_target_: quantile.Quantile\nq: 0.9\n"},
        "quantile",
    ),
    "characters of a text": Problem(
        (
            *("dataset=text", "dataset.path=book.txt", "dataset.context=16", "task=language_model", "optimizer=adamw"),
            *("model=gpt", "model.layers=1", "model.width=16", "model.heads=2", "dataset.batch_size=32"),
        ),
        "val/bits_per_byte",
        book,
    ),
    "shapes with a model of one's own": Problem(
        ("--config-dir", "conf", "experiment=shapes"),
        "val/miou",
        files={
            "shapes.py": SHAPES,
            "conf/experiment/shapes.yaml": """
# @package _global_
defaults:
  - override /task: segmentation
  - override /dataset: _dataset
  - override /model: null
dataset:
  _target_: shapes.Shapes
  batch_size: 16
model:
  _target_: shapes.Net
""",
        },
        trust="shapes",
    ),
    "several labels": Problem(
        ("dataset=npz", "dataset.path=sounds.npz", "task=binary", "model=mlp", "dataset.batch_size=16"),
        "val/f1",
        sounds,
    ),
    "texts for a model of Hugging Face": Problem(
        (
            *(
                "dataset=torch",
                "dataset.train={_target_: lrsched.data.HuggingFace, path: saved}",
                "dataset.collate=pad",
            ),
            *("model=hf", "model.config=bert", "task=hf", "optimizer=adamw", "dataset.batch_size=16"),
        ),
        "val/accuracy",
        docstrings,
        needs=("datasets", "transformers"),
    ),
    "digits for a model of timm": Problem(
        (
            *("model=timm", "model.name=test_resnet", "model.options={drop_path_rate: 0.2}"),
            *("optimizer=adamw", "optimizer.layer_decay=0.8", "dataset.batch_size=256"),
        ),
        "val/accuracy",
        needs=("timm",),
    ),
    "script with objects": Problem(
        ("dataset.batch_size=16", "optimizer=adamw"),
        "val/rmse",
        files={"study.py": STUDY},
        script="study.py",
    ),
}
