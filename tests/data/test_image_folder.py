"""Pictures in folders: the pixels of Pillow, standardised, split each class alike; and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import lrsched
from lrsched.assembly.data import load_data, load_each
from lrsched.compose.nodes import plain
from lrsched.compose.outside import composed, hydra_of_ours
from lrsched.config.digest import config_sha256
from lrsched.data import ImageFolder
from lrsched.data.cache.cache import Cache
from lrsched.data.folders.decoded import sums
from lrsched.data.folders.held import Held, from_sums
from lrsched.data.images import pixel_statistics
from lrsched.data.loader import order
from lrsched.data.partition import Partition
from lrsched.data.stream.splits import split_items
from lrsched.errors import DataError, StorageError, UserError
from lrsched.python.rebuild import stored_settings
from lrsched.python.words import as_open
from lrsched.records import RunFolder
from lrsched.report.candidates import workload
from lrsched.runs.resume import free_keys
from lrsched.seeds import key
from tests.helpers.folders import photos

WORDS = (
    *("trainer.epochs=2", "trainer.progress=false", "trainer.log_every=1st", "logger=none", "threads=1", "name=run"),
    *("optimizer=sgd", "scheduler=constant", "model=linear", "dataset.batch_size=5", "dataset.validation=0.2"),
)
FOLDER = ("dataset=imagefolder", "dataset.root=photos", "dataset.size=8", "dataset.workers=0")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_CACHE", "cache")


def by_pillow(root: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """All pictures by hand: the short side to 8, the middle cut out."""
    x, y = [], []
    for label, folder in enumerate(sorted(root.iterdir())):
        for file in sorted(folder.iterdir()):
            with Image.open(file) as image:
                short = min(image.size)
                image = image.convert("RGB").resize(
                    (image.width * 8 // short, image.height * 8 // short), Image.Resampling.BILINEAR
                )
            left, top = (round((side - 8) / 2) for side in image.size)
            x.append(torch.from_numpy(np.array(image)[top : top + 8, left : left + 8].transpose(2, 0, 1).copy()))
            y.append(label)
    return torch.stack(x), torch.tensor(y)


def test_it_is_a_bare_loop_over_the_pixels_of_pillow_to_the_last_bit() -> None:
    photos(Path("photos"))
    run = lrsched.run([*FOLDER, *WORDS, "seed=3"])
    x, y = by_pillow(Path("photos"))
    places, _, tested = Partition(24, y).parts(validation=0.2, test=0.2, seed=0)
    assert y[tested].bincount().tolist() == [2, 2, 1]  # 24/5 → 5, each class alike
    x, y = x[places], y[places]
    mean, std = (each.reshape(1, 3, 1, 1) for each in pixel_statistics(x))
    torch.manual_seed(key(3, "init"))
    model = lrsched.models.Linear(input_shape=(3, 8, 8), outputs=3)
    weights = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 5e-4}]
    weights += [{"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=True)
    losses = []
    for epoch in range(2):
        for numbers in order(3, epoch, len(y)).split(5):
            loss = nn.functional.cross_entropy(model(x[numbers].float() * (1 / std) + (-mean / std)), y[numbers])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    rows = map(json.loads, Path("outputs/run/metrics.jsonl").read_text("utf-8").splitlines())
    assert [row["train/loss"] for row in rows if "train/loss" in row] == losses
    assert all(
        torch.equal(a, b) for a, b in zip(run.model().state_dict().values(), model.state_dict().values(), strict=True)
    )


def test_a_file_and_a_folder_are_predicted_as_in_the_evaluation() -> None:
    photos(Path("photos"))
    run = lrsched.run([*FOLDER, *WORDS])
    x, _ = by_pillow(Path("photos"))
    assert torch.equal(run.predict("photos/dog"), run.predict(x[8:16]))
    assert torch.equal(run.predict("photos/dog/3.png"), run.predict(x[11:12]))
    for path, said in (
        ("gone.png", r"gone\.png: cannot be read"),
        ("outputs/run/checkpoints", r"\.pt: lies among pictures"),
    ):
        with pytest.raises(DataError, match=said):
            run.predict(path)


def test_the_jobs_of_a_sweep_share_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    photos(Path("photos"))
    lrsched.run([*FOLDER, *WORDS])
    settings, _ = stored_settings(RunFolder(Path("outputs/run")))
    opened: list[Path] = []
    monkeypatch.setattr(Held, "__init__", lambda self, folder: (opened.append(folder), Cache.__init__(self, folder))[1])
    loaded = load_each([settings] * 3)
    assert len(opened) == 1
    assert load_data(settings, loaded)[0].train.items is next(iter(loaded.values()))[0].train.items
    assert len(opened) == 1


def test_a_picture_of_very_unequal_sides_is_not_scaled_to_fill_the_memory() -> None:
    photos(Path("photos"), each=2)
    Image.new("L", (1, 60_000)).save("photos/cat/1.png")
    with pytest.raises(
        DataError, match=r"photos/cat/1\.png: is 60000x1 pixels high and wide, and scaled to cover the size"
    ):
        ImageFolder(root="photos", size=100).load()
    assert len(ImageFolder(root="photos", size=100, fit="squash").load().train) == 6


def test_the_facts_and_the_samples_of_parts_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    for part, each in (("train", 4), ("val", 2), ("test", 3)):
        photos(Path("photos") / part, each=each)
    data = ImageFolder(root="photos", size=[4, 6], channels=1, workers=0).load()
    counts = "12 pictures in train, 6 pictures in validation, 9 pictures in test"
    assert f"dataset.root=photos: {counts} of 3 classes (cat, dog, owl)\n" in capsys.readouterr().err
    assert data.facts["class_names"] == ("cat", "dog", "owl")
    assert (data.facts["classes"], data.facts["input_shape"]) == (3, (1, 4, 6))
    splits = split_items(data, validation=0.1, test=0.2, seed=0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [12, 6, 9]
    x, y = splits.validation.items.take([0, 5])
    assert (x.dtype, list(x.shape), y.tolist()) == (torch.uint8, [2, 1, 4, 6], [0, 2])


def test_the_hash_is_that_of_the_pixels_and_not_of_the_place() -> None:
    photos(Path("photos"))
    ours = ImageFolder(root="photos", size=8).load().sha256({})
    shutil.copytree("photos", "elsewhere")
    assert ImageFolder(root="elsewhere", size=8).load().sha256({}) == ours
    assert ImageFolder(root="photos", size=8, channels=1).load().sha256({}) != ours
    with Image.open("photos/cat/3.png") as image:
        changed = image.copy()
    changed.putpixel((4, 4), (0, 0, 0))
    changed.save("photos/cat/3.png")
    assert ImageFolder(root="photos", size=8).load().sha256({}) != ours


def test_statistics_of_sums_are_those_of_all_pixels() -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (7, 3, 5, 4)).astype(np.uint8))
    x[:, 2] = 9  # constant: its deviation is 1
    found = from_sums(torch.from_numpy(np.stack([sums(each) for each in x.numpy()])), 20)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, pixel_statistics(x), strict=True))
    assert found[1][2] == 1


def test_random_changes_move_rectangles_too() -> None:
    photos(Path("photos"))
    words = (*FOLDER[:2], "dataset.size=[8,12]", "dataset.augment.crop=2", "dataset.augment.flip=true")
    runs = [lrsched.run([*words, *WORDS, f"name=workers{n}", f"dataset.workers={n}"]) for n in (0, 2)]
    first, second = (run.result["weights_sha256"] for run in runs)
    assert first == second
    assert (
        lrsched.run([*words, *WORDS, "name=still", "dataset.augment.crop=0", "dataset.workers=0"]).result[
            "weights_sha256"
        ]
        != first
    )


def broken(file: Path, keep: int | None) -> None:
    """A file of which only the first bytes are left."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 if keep is None else keep])


def jpeg(file: Path) -> None:
    file.unlink()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(
        file.with_suffix(".jpg")
    )
    broken(file.with_suffix(".jpg"), None)


def bomb(file: Path) -> None:
    """A picture of 20000 x 20000 pixels in a few kilobytes."""
    file.write_bytes(b"P5 20000 20000 255\n")
    file.rename(file.with_suffix(".pgm"))


CAT = Path("photos/cat/3.png")
DAMAGED: dict[str, tuple[Callable[[], Any], str]] = {
    "cut short": (lambda: broken(CAT, None), "photos/cat/3.png: cannot be read as a picture"),
    "a JPEG cut short": (lambda: jpeg(CAT), "photos/cat/3.jpg: cannot be read as a picture (image file is truncated"),
    "empty": (lambda: broken(CAT, 0), "photos/cat/3.png: is empty (0 bytes)"),
    "a text": (lambda: CAT.write_text("hello"), "photos/cat/3.png: is no picture that Pillow can read"),
    "a header alone": (lambda: broken(CAT, 8), "photos/cat/3.png: "),
    "a bomb": (lambda: bomb(CAT), "photos/cat/3.pgm: has more than 178,956,970 pixels"),
    "a link to nothing": (
        lambda: (CAT.unlink(), CAT.symlink_to("gone")),
        "photos/cat/3.png: is a link that leads nowhere",
    ),
    "a pipe": (
        lambda: (CAT.unlink(), os.mkfifo(CAT)),
        "photos/cat/3.png: lies among pictures, and it is no plain file",
    ),
    "a circle": (
        lambda: Path("photos/cat/more").symlink_to(Path("photos").absolute()),
        "is a link to a folder that it",
    ),
    "a class without a picture": (lambda: Path("photos/bat").mkdir(), "photos/bat: is a class without a picture"),
    "another kind": (lambda: Path("photos/cat/a.heic").touch(), "photos/cat/a.heic: lies among pictures, and its name"),
    "a name that is no text": (
        lambda: os.mkdir(b"photos/\xff\xfe"),
        "holds the name b'\\xff\\xfe', which is not UTF-8",
    ),
    "one class": (lambda: (shutil.rmtree("photos/dog"), shutil.rmtree("photos/owl")), "photos: holds one class, cat"),
    "nothing": (lambda: (shutil.rmtree("photos"), Path("photos").mkdir()), "photos: holds no folder, and each class"),
    "no folder": (lambda: shutil.rmtree("photos"), "dataset.root=photos: there is no folder"),
    "a file": (lambda: (shutil.rmtree("photos"), Path("photos").touch()), "dataset.root=photos: is a file"),
    "a class that test lacks": (
        lambda: (
            shutil.move("photos", "train"),
            photos(Path("photos/test"), ("cat", "dog")),
            shutil.move("train", "photos/"),
        ),
        "photos/test: lacks the class owl",
    ),
    "a class that train lacks": (
        lambda: (
            photos(Path("new/train"), ("cat", "dog")),
            shutil.move("photos", "new/val"),
            shutil.move("new", "photos"),
        ),
        "photos/val: has, and train lacks, the class owl",
    ),
}


def refused(*words: str, cached: bool = False) -> str:
    """What a run says that is refused; it leaves nothing behind, but for a whole cache."""
    before = sorted(map(str, Path().rglob("*")))
    with pytest.raises(UserError) as caught:
        lrsched.run([*FOLDER, *WORDS, *words])
    assert caught.value.exit_code == 2
    after = sorted(str(path) for path in Path().rglob("*") if not (cached and path.parts[0] == "cache"))
    assert after == before
    return str(caught.value)


def not_loaded() -> str:
    """What the data set alone says."""
    with pytest.raises(DataError) as caught:
        ImageFolder(root="photos", size=8).load()
    return str(caught.value)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_folder_is_refused_by_the_name_of_the_file(name: str) -> None:
    photos(Path("photos"), each=5)
    damage, said = DAMAGED[name]
    damage()
    assert said in not_loaded()


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGED)
def test_a_run_on_a_damaged_folder_leaves_nothing_behind(name: str) -> None:
    photos(Path("photos"), each=5)
    damage, said = DAMAGED[name]
    damage()
    assert said in refused()


def test_a_picture_that_is_damaged_is_no_bug_and_leaves_no_folder() -> None:
    photos(Path("photos"), each=5)
    broken(CAT, None)
    assert "photos/cat/3.png: cannot be read as a picture" in refused()


def test_a_cache_that_does_not_fit_is_refused_before_a_file_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    photos(Path("photos"), each=5)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    with pytest.raises(
        StorageError, match=r"15 decoded samples take .* GiB, and .*cache has .*a smaller dataset\.size"
    ):
        ImageFolder(root="photos", size=300).load()
    assert not Path("cache").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
@pytest.mark.parametrize("path", ["photos/cat/3.png", "photos/cat"])
def test_what_may_not_be_read_is_named(path: str) -> None:
    photos(Path("photos"), each=5)
    Path(path).chmod(0)
    assert f"{path}: cannot be read (Permission denied)" in not_loaded()
    Path(path).chmod(0o700)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("size=0", "dataset.size=0: must be a whole number of pixels from 1 to 8192"),
        ("size=-4", "dataset.size=-4: must be a whole number"),
        ("size=[8,8,3]", "dataset.size=[8,8,3]: must be a whole number"),
        ("size=100000", "dataset.size=100000: must be a whole number"),
        (f"size={10**30}", "is a whole number beyond 64 bits"),
        ("size=half", "dataset.size=half: must be a whole number"),
        ("fit=pad", "fit"),
        ("channels=4", "dataset.channels=4: must be 3 (red, green, blue) or 1 (grey)"),
        ("workers=-1", "dataset.workers=-1: must be a whole number from 0"),
        ("root=7", "root"),
        ("root=''", "dataset.root=: must be the path of a folder"),
        ("cache_root=''", "dataset.cache_root=: must be the path of a folder, or null"),
        ("test=0.001", "dataset.test=0.001: leaves no sample of class 0 in the held-out part"),
        ("augment.crop=8", "dataset.augment.crop=8: must be smaller than the images"),
        ("workers=0 task=segmentation", "int64 [2]; such data are for task=classification"),
        ("train_samples=10", "dataset.train_samples=10: the data set that was loaded has 24"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(word: str, said: str) -> None:
    photos(Path("photos"), each=8)
    assert said in refused(*f"dataset.{word}".split(" "), cached=True)


@pytest.mark.parametrize("choice", ["imagefolder", "imagemasks", "mnist"])
def test_another_folder_of_pictures_is_other_data(choice: str) -> None:
    other, configs = choice != "mnist", list[Any]()  # its root says where the files of one data set lie
    with hydra_of_ours():
        for root in "ab":
            configs.append(as_open(composed([f"dataset={choice}", f"dataset.root={root}"], None, key="")))
            del configs[-1]["hydra"]
    one, two = map(plain, configs)
    assert (config_sha256(one) != config_sha256(two)) is other
    target = one["dataset"]["_target_"]
    flat: list[Any] = [{"dataset._target_": target, "dataset.root": root} for root in "ab"]
    assert (workload(flat[0]) != workload(flat[1])) is other
    assert ("dataset.root" not in free_keys(configs[0])) is other


def test_folders_of_pictures_can_be_swept(run_cli) -> None:
    for root in ("a", "b"):
        photos(Path(root))
    ended = run_cli("-m", *WORDS, *FOLDER, "dataset.root=a,b", "dataset.test=0.2", "trainer.steps=1", "sweep.jobs=1")
    assert ended.code == 0, ended.err
    assert len(list(Path("outputs/run").glob("*/result.json"))) == 2
