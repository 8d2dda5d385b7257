"""Runs whose training images are changed at random: in memory and item by item, with any task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

import lrsched
from lrsched.data import Data, Items
from lrsched.data.augment import Augment
from lrsched.data.batch import Batch
from lrsched.data.loader import order
from lrsched.errors import ConfigError
from lrsched.seeds import key
from lrsched.tasks import Classification
from tests.helpers.items import Photos

IMAGES: dict[str, Any] = {
    "crop": 1,
    "flip": True,
    "rotate": 10,
    "shear": 5,
    "scale": 0.1,
    "shift": 0.05,
    "brightness": 0.3,
    "contrast": 0.3,
    "saturation": 0.3,
    "hue": 0.1,
    "cutout": 2,
    "erase": 0.25,
}
MIXED = {**IMAGES, "mixup": 0.2, "cutmix": 1}
WORDS = ("threads=1", "logger=none", "trainer.progress=false", "trainer.log_every=1st", "dataset.batch_size=8")
PHOTOS = (*WORDS, "trainer.epochs=2", "model=linear", "optimizer=sgd", "scheduler=constant")


def words(asked: dict[str, Any]) -> list[str]:
    return [f"dataset.augment.{name}={str(value).lower()}" for name, value in asked.items()]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def photos(masks: bool = False, **how: Any) -> Items:
    return Items(Photos(masks=masks), **how)


def same_runs(*names: str) -> bool:
    runs = [lrsched.load(f"outputs/{name}") for name in names]
    rows = {(run.folder / "metrics.jsonl").read_bytes() for run in runs}
    return len(rows) == len({run.result["weights_sha256"] for run in runs}) == 1


def test_it_is_a_bare_loop_keyed_by_step_and_micro_batch() -> None:
    x, y = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3
    data = Data((x, y), ((x[:8], y[:8])))
    run = lrsched.run([*PHOTOS, *words(MIXED), "name=run", "seed=3", "trainer.accumulate=2"], data=data)
    places = data.partition.parts(validation=0.1, test=None, seed=0)[0]
    change = Augment(**MIXED).of((x, y), classes=3)
    torch.manual_seed(key(3, "init"))
    model = lrsched.models.Linear(input_shape=(3, 8, 8), outputs=3)
    groups = [{"params": [p], "weight_decay": 5e-4 if p.ndim > 1 else 0.0} for p in model.parameters()]
    optimizer, losses, step = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True), [], 0
    for epoch in range(2):
        for numbers in places[order(3, epoch, len(places))].split(16):
            total = 0.0
            for micro, some in enumerate(numbers.split(8)):
                generator = torch.Generator().manual_seed(key(3, "augment", step, micro))
                images, soft = change((x[some], y[some]), generator)
                loss = cross_entropy(model(images), soft) * (len(some) / len(numbers))
                loss.backward()
                total += loss.item()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(total)
            step += 1
    assert [loss for loss in run.rows["train/loss"] if loss == loss] == pytest.approx(losses, rel=1e-5)
    assert torch.equal(run.predict(x), run.model()(x).detach())  # what is predicted is not changed


@pytest.mark.slow
def test_items_are_changed_as_data_in_memory_and_whoever_makes_them() -> None:
    x, y = torch.rand(60, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3
    facts = {"classes": 3}
    lrsched.run([*PHOTOS, *words(MIXED), "name=memory"], data=Data((x, y), facts=facts))
    for workers in (0, 1, 2, 4):
        items = Items(TensorDataset(x, y), facts=facts, workers=workers)
        lrsched.run([*PHOTOS, *words(MIXED), f"name=items{workers}"], data=items)
    assert same_runs("memory", "items0", "items1", "items2", "items4")


@pytest.mark.slow
def test_cut_in_mid_epoch_and_resumed_with_other_workers() -> None:
    said = [*PHOTOS, *words(MIXED)]
    lrsched.run([*said, "name=whole"], data=photos(workers=0))
    lrsched.run([*said, "name=cut", "sweep.until=3"], data=photos(workers=2))
    lrsched.run(["resume=outputs/cut", "sweep.until=4"], data=photos(workers=1))
    lrsched.run(["resume=outputs/cut", "sweep.until=null"], data=photos(workers=0))
    assert same_runs("whole", "cut")


def test_masks_are_trained_with_their_images_and_what_is_outside_counts_nowhere() -> None:
    seen: list[Tensor] = []

    class Looks(lrsched.tasks.Segmentation):
        def loss(self, model: nn.Module, batch: Batch) -> Tensor:
            if not batch[0].is_inference() and model.training:
                seen.append(torch.stack([batch[1], (batch[0].amax(1) > 0.35).long(), (batch[0].sum(1) == 0).long()]))
            return super().loss(model, batch)

    told = ["model=unet", "model.width=4", "model.depth=1", "trainer.steps=4", *words({"crop": 2, "flip": True})]
    task = Looks(ignore=255, classes=2)
    run = lrsched.run([*PHOTOS[:-4], *told, "name=run"], data=photos(masks=True, workers=0), task=task)
    masks, bright, black = torch.cat(seen[1:], dim=1)  # the first is the trial before the run
    assert torch.equal(masks == 255, black == 1)
    assert (masks == 255).any()
    assert torch.equal(masks[masks != 255], bright[masks != 255])
    assert run.result["status"] == "finished"


def test_one_batch_is_overfitted_without_changes(root: Path) -> None:
    off = OmegaConf.to_container(OmegaConf.load(root / "conf" / "debug" / "overfit_batch.yaml"))
    assert isinstance(off, dict)
    assert off["dataset"]["augment"] == {name: value for name, value in asdict(Augment()).items() if value is not None}


def test_evaluations_are_those_of_unchanged_images(run_cli) -> None:
    digits = (*WORDS[:-1], "dataset=digits", "model=linear", "trainer.steps=4", "optimizer.lr=0", "name=run")
    plain = lrsched.run(digits)
    told = words({**MIXED, "saturation": 0, "hue": 0})
    mixed = lrsched.run([*digits[:-1], "name=mixed", *told])  # a rate of 0: the weights are those of the start
    assert plain.result["metrics"] == mixed.result["metrics"] == {**mixed.result["metrics"], **mixed.evaluate("test")}
    assert plain.rows["train/loss"][0] != mixed.rows["train/loss"][0]
    ended = run_cli("outputs/mixed", "--part", "val", command="evaluate")
    assert ended.code == 0, ended.err


@dataclass(frozen=True, kw_only=True)
class Hard(Classification):
    """Labels alone."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        x, y = batch
        return nn.functional.nll_loss(model(x).log_softmax(1), y)


@dataclass(frozen=True, kw_only=True)
class Soft(Hard):
    """Shares of classes too."""

    soft_targets: ClassVar[bool] = True

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        x, y = batch
        return cross_entropy(model(x), y)


def test_a_task_of_ones_own_is_given_soft_targets_if_it_says_that_it_takes_them() -> None:
    told = [*PHOTOS, *words({"mixup": 1})]
    with pytest.raises(ConfigError, match=r"^dataset.augment.mixup=1: makes soft .* Hard does not say .* soft_t"):
        lrsched.run([*told, "name=hard"], data=photos(workers=0), task=Hard())
    assert not Path("outputs").exists()
    lrsched.run([*told, "name=soft"], data=photos(workers=0), task=Soft())
    lrsched.run([*told, "name=ours"], data=photos(workers=0))
    assert same_runs("soft", "ours")


def test_the_cross_entropy_of_pytorch_takes_soft_targets_and_no_other_loss_does() -> None:
    told = [*PHOTOS, *words({"mixup": 1, "cutmix": 1})]
    runs = [
        lrsched.run([*told, f"name={name}", f"task={task}"], data=photos(workers=0))
        for name, task in (("ours", "classification"), ("theirs", "torch/CrossEntropyLoss"))
    ]
    assert len({run.result["weights_sha256"] for run in runs}) == 1
    for task in ("torch/MultiMarginLoss", "torch/CrossEntropyLoss task.ignore_index=9"):
        with pytest.raises(ConfigError, match=r"^dataset.augment.mixup=1: makes soft targets"):
            lrsched.run([*told, "name=bad", *f"task={task}".split()], data=photos(workers=0))


def test_soft_targets_may_be_given() -> None:
    y = torch.eye(3)[torch.arange(40) % 3] * 0.8 + 0.2 / 3
    x = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    run = lrsched.run([*PHOTOS, *words({"cutmix": 1}), "name=run"], data=(x, y))
    assert run.predict(x).shape == (40, 3)
    assert set(run.result["better"]) == {"loss", "accuracy"}


def npz(shape: tuple[int, ...], masks: bool = False) -> list[str]:
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, shape, dtype=np.uint8)
    y = (x[:, 0] // 100).astype(np.int64) if masks else np.arange(len(x)) % 3
    np.savez("a.npz", x=x, y=y)
    return [
        "dataset=npz",
        "dataset.path=a.npz",
        *(("task=segmentation", "model=unet", "model.depth=1") if masks else ()),
    ]


MASKS = ((40, 3, 8, 8), True)
BAD: list[tuple[tuple[Any, ...], list[str], str]] = [
    ((), ["rotate=200"], "dataset.augment.rotate=200: must lie between 0 and 180: the largest turn"),
    ((), ["rotate=ten"], "dataset.augment.rotate=ten: must be a number"),
    ((), ["shear=-1"], "dataset.augment.shear=-1: must lie between 0 and 60"),
    ((), ["scale=1.5"], "dataset.augment.scale=1.5: must lie between 0 and 0.9: 0.2 makes an image 0.8 to 1.2"),
    ((), ["shift=2"], "dataset.augment.shift=2: must lie between 0 and 1: a part of width and height"),
    ((), ["brightness=nan"], "dataset.augment.brightness=nan: must be a finite number"),
    ((), ["hue=0.6"], "dataset.augment.hue=0.6: must lie between 0 and 0.5"),
    ((), ["cutout=2.5"], "dataset.augment.cutout=2.5: must be a whole number"),
    ((), ["erase=1.1"], "dataset.augment.erase=1.1: must lie between 0 and 1"),
    ((), ["mixup=0.001"], "dataset.augment.mixup=0.001: is the α of Beta(α, α): from 0.01 to 100, or 0: not mixed"),
    ((), ["cutmix=-1"], "dataset.augment.cutmix=-1: is the α of Beta(α, α)"),
    ((), ["mixupp=1"], "did you mean 'dataset.augment.mixup'?"),
    ((), ["hue=0.1"], "dataset.augment.hue=0.1: is of images of 3 channels, and these are of 1"),
    ((), ["cutout=8"], "dataset.augment.cutout=8: must be smaller than the images of 8x8 pixels"),
    (((40, 2, 8, 8),), ["contrast=0.1"], "dataset.augment.contrast=0.1: is of images of 1 or 3 channels"),
    (MASKS, ["crop=2"], "dataset.augment.mask_fill=null: says what masks, here int64 [29, 8, 8], have where"),
    (
        MASKS,
        ["crop=2", "mask_fill=9"],
        "dataset.augment.mask_fill=9: must be a class, from 0 to 2, or task.ignore",
    ),
    (
        MASKS,
        ["shift=0.1", "mask_fill=0.5"],
        "mask_fill=0.5: must be a number that masks can hold, and they are int64",
    ),
    (MASKS, ["mixup=1"], "dataset.augment.mixup=1: makes soft targets, float [samples, classes], and Segmentation"),
]


@pytest.mark.parametrize(("data", "asked", "message"), BAD, ids=[",".join(asked) for _, asked, _ in BAD])
def test_what_cannot_be_changed_is_one_message(run_cli, data: Any, asked: list[str], message: str) -> None:
    told = npz(*data) if data else ["dataset=digits"]
    ended = run_cli(*told, *(f"dataset.augment.{word}" for word in asked), "trainer.steps=2", "name=run")
    assert ended.code == 2, ended.out + ended.err
    assert ended.err.startswith("lrsched: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("outputs").exists()


def test_floats_beyond_white_are_refused() -> None:
    x, y = 255 * torch.rand(40, 3, 8, 8), torch.arange(40) % 3
    items = Items(TensorDataset(x, y), facts={"classes": 3}, workers=0)
    for data in ((x, y), items):
        with pytest.raises(ConfigError, match=r"^dataset.augment.brightness=0.2: takes floats .* divided by 255"):
            lrsched.run([*PHOTOS, *words({"brightness": 0.2}), "name=run"], data=data)
