"""Every model and task of ours on a GPU, for a few updates: does it run with deterministic algorithms? Needs a GPU.

::

    python benchmarks/gpu_shelf.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from gpu import run

SHORT = ("trainer.steps=4", "trainer.evaluate_every=2st")
IMAGES = ("dataset=synthetic", "dataset.channels=3", "dataset.size=32", "dataset.samples=600", "dataset.batch_size=64")
TEXT = ("dataset=python_source", "dataset.megabytes=0.1", "model=gpt", "task=language_model", "dataset.batch_size=8")
CASES: Mapping[str, Sequence[str]] = {
    "linear": ("model=linear",),
    "mlp": (),
    "cnn": ("model=cnn",),
    "resnet9": (*IMAGES, "model=resnet9"),
    "resnet18": (*IMAGES, "model=resnet18"),
    "torchvision": (*IMAGES, "model=torchvision", "model.name=mobilenet_v3_small"),
    "timm": (*IMAGES, "model=timm", "model.name=resnet18"),
    "gpt": TEXT,
    "gpt, rotary, dropout": (*TEXT, "model.positions=rotary", "model.dropout=0.1"),
    "fourier, picture": ("dataset=picture", "model=fourier", "task=regression"),
    "regression": ("dataset=diabetes", "task=regression"),
    "binary": ("dataset=cancer", "task=binary"),
    "class weights": ("task.class_weights=[1,1,1,2,1,1,1,1,1,1]",),
    "torch/MultiMarginLoss": ("task=torch/MultiMarginLoss",),
    "augment": ("model=cnn", "dataset.augment.mixup=0.2", "dataset.augment.rotate=10", "dataset.augment.erase=0.5"),
    "average swa": ("model=cnn", "average=swa"),
    "average ema": ("average=ema",),
    "snapshot": ("scheduler=snapshot", "trainer.steps=12"),
    "greedy": ("scheduler=greedy", "trainer.steps=12"),
    "noisy_quadratic": ("dataset=noisy_quadratic", "model=quadratic", "task=quadratic"),
    "lanes": ("model=cnn", "trainer.lanes=4"),
    "channels_last, fused": (*IMAGES, "model=resnet9", "trainer.channels_last=true", "trainer.fused=true"),
    "fast": (*IMAGES, "model=cnn", "trainer=fast", "trainer.steps=40"),
    "compiled lanes": ("model=cnn", "trainer.lanes=4", "trainer.compile=true"),
    "fp16 lanes": ("model=cnn", "trainer.lanes=4", "trainer.precision=fp16"),
}


def tried(place: Path, title: str) -> str:
    """One line about a case."""
    code, result, said = run(place, title.replace(" ", "-").replace("/", "-").replace(",", ""), *SHORT, *CASES[title])
    loss = result.get("metrics", {}).get("val/loss")
    return f"{title:24} exit {code}  val/loss {loss}" + ("" if code == 0 else f"\n    {said.strip()[-900:]}")


def main() -> None:
    """Try all cases, some at a time."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(6) as pool:
        for line in pool.map(lambda title: tried(Path(folder), title), sys.argv[1:] or CASES):
            print(line, flush=True)


if __name__ == "__main__":
    main()
