"""Folders of files: what is found in them, in which order, and what is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrsched.data.folders.layout import Labelled, check_classes, classes_in, parts_of
from lrsched.data.folders.pairs import pairs_of
from lrsched.data.folders.walk import pictures
from lrsched.errors import DataError


def touch(root: Path, *names: str) -> None:
    """Make files without content: the layout does not look into them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def named(root: Path, files: object) -> list[str]:
    assert isinstance(files, list)
    return [Path(file).relative_to(root).as_posix() for file in files]


def test_classes_are_folders_by_name_and_their_pictures_lie_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/10.JPG", "b/x/1.gif", "b/x-y/1.webp", "B/1.tiff", "ä ö/1.jpeg", ".git/1.png")
    found = classes_in(tmp_path)
    assert list(found.names) == ["B", "b", "ä ö"]
    in_order = ["B/1.tiff", "b/10.JPG", "b/2.png", "b/x/1.gif", "b/x-y/1.webp", "ä ö/1.jpeg"]
    assert named(tmp_path, found.files) == in_order
    assert list(found.labels) == [0, 1, 1, 1, 1, 2]


def test_what_systems_and_people_leave_is_passed_over(tmp_path: Path) -> None:
    left = (".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "labels.csv", "README", "._1.png", "LICENSE")
    touch(tmp_path, "weights.pt", "a/1.png", "b/1.png", *left, *(f"a/{name}" for name in left), "__MACOSX/a/1.png")
    assert named(tmp_path, classes_in(tmp_path).files) == ["a/1.png", "b/1.png"]


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        (("a/1.png", "b/1.png"), {"train": "."}),
        (("train/1.png", "plane/1.png"), {"train": "."}),  # two vehicles
        (("train/a/1.png", "val/a/1.png"), {"train": "train", "validation": "val"}),
        (("Train/a/1.png", "Valid/a/1.png", "TEST/a/1.png"), {"train": "Train", "validation": "Valid", "test": "TEST"}),
        (("train/a/1.png", "test/a/1.png", "notes/a.txt"), {"train": "train", "test": "test"}),
        (("train/a/1.png", "validation/a/1.png"), {"train": "train", "validation": "validation"}),
        (("train/a/1.png", "train/notes.txt"), {"train": "train"}),
    ],
)
def test_parts_are_folders_of_folders(tmp_path: Path, files: tuple[str, ...], parts: dict[str, str]) -> None:
    touch(tmp_path, *files)
    assert parts_of(tmp_path) == {part: tmp_path / name for part, name in parts.items()}


@pytest.mark.parametrize(
    "files",
    [
        ("images/1.jpg", "images/x/1.png", "masks/1.png", "masks/x/1.png"),
        ("train/images/1.jpg", "train/masks/1.png", "val/images/1.png", "val/masks/1.gif"),
        ("images/train/1.jpg", "masks/train/1.png", "images/val/1.png", "masks/val/1.gif"),
    ],
)
def test_pairs_are_found_by_name(tmp_path: Path, files: tuple[str, ...]) -> None:
    touch(tmp_path, *files)
    found = pairs_of(tmp_path, "images", "masks", "")
    ours = [name for part in found.values() for name in named(tmp_path, part.files)]
    theirs = [name for part in found.values() for name in named(tmp_path, part.masks)]
    assert sorted(ours + theirs) == sorted(files)
    assert list(found) == (["train", "validation"] if "val" in "".join(files) else ["train"])
    stems = [
        (Path(a).with_suffix("").as_posix(), Path(b).with_suffix("").as_posix())
        for a, b in zip(ours, theirs, strict=True)
    ]
    assert all(a.replace("images", "masks") == b for a, b in stems)


def test_masks_may_have_an_end_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "cars/1.jpg", "cars/2.jpg", "labels/2_mask.gif", "labels/1_mask.gif")
    found = pairs_of(tmp_path, "cars", "labels", "_mask")["train"]
    assert named(tmp_path, found.files) == ["cars/1.jpg", "cars/2.jpg"]
    assert named(tmp_path, found.masks) == ["labels/1_mask.gif", "labels/2_mask.gif"]


def test_links_to_folders_are_followed_and_circles_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "elsewhere/2.png")
    (tmp_path / "a" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "elsewhere")
    assert named(tmp_path, pictures(tmp_path / "a")) == ["a/1.png", "a/again/2.png", "a/more/2.png"]
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "a")
    with pytest.raises(DataError, match=r"a/again/back: is a link to a folder that it lies in"):
        pictures(tmp_path / "a")


BAD = {
    "a picture beside classes": (("a/1.png", "b/1.png", "cover.png"), "cover.png: lies beside the folders"),
    "an empty class": (("a/1.png", "b/notes.txt"), "b: is a class without a picture"),
    "one class": (("a/1.png",), "holds one class, a;"),
    "no class": (("1.png", "2.png"), "holds no folder, and each class is one"),
    "an unknown kind": (("a/1.png", "b/1.heic"), "b/1.heic: lies among pictures, and its name ends as no picture's"),
    "no ending": (("a/1.png", "b/IMG1"), "b/IMG1: lies among pictures"),
    "two validation parts": (
        ("train/a/1.png", "val/a/1.png", "valid/a/1.png"),
        "holds val/ and valid/, two validation",
    ),
    "no train": (("val/a/1.png", "test/a/1.png"), "holds test/, val/, and no train/ beside"),
    "pictures beside parts": (
        ("train/a/1.png", "train/b/1.png", "more/a/1.png"),
        "more: holds pictures and lies beside train/",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_layout_that_cannot_be_meant_is_refused(tmp_path: Path, name: str) -> None:
    files, said = BAD[name]
    touch(tmp_path, *files)
    with pytest.raises(DataError) as caught:
        classes_in(parts_of(tmp_path)["train"])
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("train", "other", "said"),
    [
        ("ab", "a", "val: lacks the class b; each part must hold the same classes"),
        ("ab", "abcd", "val: has, and train lacks, the classes c, d;"),
        ("abcdefghi", "a", "val: lacks the classes b, c, d, e, f and 3 more;"),
    ],
)
def test_each_part_has_the_same_classes(tmp_path: Path, train: str, other: str, said: str) -> None:
    ours, theirs = (Labelled([], [], list(names)) for names in (train, other))
    with pytest.raises(DataError) as caught:
        check_classes(ours, theirs, tmp_path / "val")
    assert str(caught.value).startswith(f"{tmp_path}/{said}")


@pytest.mark.slow
def test_order_and_classes_are_those_of_torchvision(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    touch(
        tmp_path,
        *(f"{name}/{n}/{m}.png" for name in ("b", "a", "a-c", "A b") for n in ("1", "1-x", "10") for m in (2, 10)),
    )
    touch(tmp_path, "b/0.jpg", "a/z.jpg")
    found, theirs = classes_in(tmp_path), ImageFolder(str(tmp_path))
    assert list(found.names) == theirs.classes
    assert [(file, label) for file, label in zip(found.files, found.labels, strict=True)] == theirs.samples
