"""Pictures with masks: they stay in step, no label is made up, and what does not fit is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lrsched
from lrsched.data import ImageMasks
from lrsched.errors import DataError, UserError
from tests.helpers.folders import leaves

WORDS = (
    *("dataset=imagemasks", "dataset.root=leaves", "dataset.size=[8,16]", "dataset.workers=0", "dataset.batch_size=4"),
    *(
        "task=segmentation",
        "model=unet",
        "model.width=4",
        "model.depth=1",
        "trainer.epochs=1",
        "trainer.progress=false",
    ),
    *("trainer.log_every=1st", "logger=none", "threads=1", "name=run"),
)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_CACHE", "cache")


def test_a_mask_stays_where_its_picture_is() -> None:
    """A picture that is 200 where its mask is 1, cut to a square: both are cut alike."""
    leaves(Path("leaves"), 4)
    for file in Path("leaves/masks").iterdir():
        with Image.open(file) as mask:
            inside = np.array(mask)
        Image.fromarray(200 * inside).save(Path("leaves/images") / file.name)
    x, y = ImageMasks(root="leaves", size=12, channels=1).load().train.take([0, 1, 2, 3])
    assert (y.dtype, list(y.shape)) == (torch.int64, [4, 12, 12])
    assert torch.equal(x[:, 0] == 200, y == 1)
    with Image.open("leaves/masks/0.png") as mask:
        assert torch.equal(y[0], torch.from_numpy(np.array(mask)[:, 2:14].astype(np.int64)))


def test_no_label_is_made_up_between_two() -> None:
    leaves(Path("leaves"), 6, values=(0, 255))
    data = ImageMasks(root="leaves", size=[7, 5], labels={0: "background", 255: "leaf"}).load()
    assert data.train.take(range(6))[1].unique().tolist() == [0, 1]
    assert (data.facts["classes"], data.facts["class_names"]) == (2, ("background", "leaf"))
    assert data.facts["input_shape"] == (3, 7, 5)


def test_a_unet_trains_on_pairs_and_ignores_what_the_task_ignores() -> None:
    leaves(Path("leaves"), 20)
    with Image.open("leaves/masks/0.png") as image:
        mask = np.array(image)
    mask[:3] = 255
    Image.fromarray(mask).save("leaves/masks/0.png")
    assert "0, 1, 255, and classes are counted 0, 1, 2, … without a gap" in refused()
    run = lrsched.run([*WORDS, "task.ignore=255", "dataset.augment.crop=2", "dataset.augment.flip=true"])
    assert run.result["metrics"]["val/miou"] > 0
    assert run.predict(torch.zeros(2, 3, 8, 16, dtype=torch.uint8)).shape == (2, 2, 8, 16)


def save(values: Any, name: str = "masks/3.png") -> None:
    Image.fromarray(np.array(values)).save(Path("leaves") / name)


def move(source: str, target: str) -> None:
    (Path("leaves") / source).rename(Path("leaves") / target)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "a mask that is missing": (
        lambda: Path("leaves/masks/3.png").unlink(),
        "leaves/images/3.png: leaves/masks has no mask 3.* to it; add it",
    ),
    "a picture that is missing": (
        lambda: [Path(f"leaves/images/{n}.png").unlink() for n in (3, 4)],
        "leaves/masks/3.png: leaves/images has no picture 3.* to it, nor to 1 more; add it",
    ),
    "another size": (
        lambda: save(np.zeros((12, 15), np.uint8)),
        "leaves/masks/3.png: is 12x15 pixels high and wide, and its picture 3.png 12x16; make the mask",
    ),
    "turned": (
        lambda: save(np.zeros((16, 12), np.uint8)),
        "and its picture 3.png 12x16 (as its EXIF orientation turns it",
    ),
    "colours": (
        lambda: save(np.zeros((12, 16, 3), np.uint8)),
        "leaves/masks/3.png: is a picture of colours (mode RGB)",
    ),
    "floats": (
        lambda: (save(np.zeros((12, 16), np.float32), "masks/3.tif"), Path("leaves/masks/3.png").unlink()),
        "leaves/masks/3.tif: holds floats (mode F), and a mask has one whole number a pixel",
    ),
    "a JPEG": (
        lambda: (save(np.zeros((12, 16), np.uint8), "masks/3.jpg"), Path("leaves/masks/3.png").unlink()),
        "leaves/masks/3.jpg: is a JPEG, whose loss changes the numbers of pixels",
    ),
    "a gap": (
        lambda: save(np.full((12, 16), 3, np.uint8)),
        "leaves: the masks hold the numbers 0, 1, 3, and classes are",
    ),
    "two of one name": (
        lambda: save(np.zeros((12, 16, 3), np.uint8), "images/3.jpg"),
        "leaves/images/3.png: has the name of 3.jpg; pairs are found by it",
    ),
    "no masks": (lambda: move("masks", "labels"), "leaves: holds no folder masks/;"),
    "no pictures": (lambda: move("images", "train"), "leaves: "),
    "an empty folder": (
        lambda: [file.unlink() for file in (*Path("leaves/images").iterdir(), *Path("leaves/masks").iterdir())],
        "leaves/images: holds no picture",
    ),
    "cut short": (
        lambda: Path("leaves/masks/3.png").write_bytes(Path("leaves/masks/3.png").read_bytes()[:60]),
        "leaves/masks/3.png: cannot be read as a picture",
    ),
    "a text": (lambda: Path("leaves/masks/3.png").write_text("hello"), "leaves/masks/3.png: is no picture"),
    "all alike": (
        lambda: [save(np.zeros((12, 16), np.uint8), f"masks/{n}.png") for n in range(6)],
        "leaves: all pixels of all masks are 0; there is nothing to tell apart",
    ),
    "parts of the pictures alone": (
        lambda: (Path("leaves/images/train").mkdir(), move("images/3.png", "images/train/3.png")),
        "leaves: the pictures lie in train/ and the masks in masks/; give both the same parts",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_pair_that_is_none_is_refused_by_the_name_of_the_file(name: str) -> None:
    leaves(Path("leaves"), 6)
    damage, said = BAD[name]
    damage()
    with pytest.raises(DataError) as caught:
        ImageMasks(root="leaves", size=8).load()
    assert said in str(caught.value)


def refused(*words: str, cached: bool = False) -> str:
    """What a run says that is refused; it leaves nothing behind, but for a whole cache."""
    before = sorted(map(str, Path().rglob("*")))
    with pytest.raises(UserError) as caught:
        lrsched.run([*WORDS, *words])
    assert caught.value.exit_code == 2
    after = sorted(str(path) for path in Path().rglob("*") if not (cached and path.parts[0] == "cache"))
    assert after == before
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_a_run_on_pairs_that_are_none_leaves_nothing_behind(name: str) -> None:
    leaves(Path("leaves"), 6)
    damage, said = BAD[name]
    damage()
    assert said in refused()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dataset.classes=2", "dataset.labels={0: a, 1: b}"), "dataset.classes=2: is said by dataset.labels already"),
        (("dataset.labels={0: a, 2: b}",), "holds 1; dataset.labels does not say which class that is"),
        (("dataset.labels=[a,b]",), "dataset.labels=[a,b]: must be a mapping"),
        (
            ("dataset.labels={0: a, 1: null}",),
            "dataset.labels.1=null: counts nowhere, and the task knows no such label",
        ),
        (("dataset.masks=images",), "dataset.masks=images: is the folder of the pictures too"),
        (("dataset.masks=''",), "dataset.masks=: must be the name of a folder"),
        (("dataset.suffix=_mask",), "its name does not end in '_mask' (dataset.suffix)"),
        (("dataset.size=0",), "dataset.size=0: must be a whole number of pixels"),
        (("task=classification",), "int64 [2, 8, 16]; such data are for task=segmentation model=unet"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(words: tuple[str, ...], said: str) -> None:
    leaves(Path("leaves"), 6)
    assert said in refused(*words, cached=True)
