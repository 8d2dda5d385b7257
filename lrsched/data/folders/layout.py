"""How a data set lies in its folder: in parts (train, val, test), classes, pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lrsched.data.files import lying_in, near
from lrsched.data.folders.walk import PICTURES, folders, own_picture, pictures, suffix_of
from lrsched.errors import ConfigError, DataError

PARTS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
"""What the folders of parts may be called, in letters of any size."""

SHOWN = 5


@dataclass(frozen=True)
class Labelled:
    """Pictures and the class of each.

    Args:
        files: in order.
        labels: of each, from 0.
        names: of the classes.
    """

    files: Sequence[str]
    labels: Sequence[int]
    names: Sequence[str]


def root_of(root: Any) -> Path:
    """The folder that ``dataset.root`` names: relative to the current folder, ``~`` is the home folder.

    Raises:
        ConfigError: it is no text.
        DataError: there is no such folder.
    """
    if not isinstance(root, str) or not root.strip() or "\0" in root:
        raise ConfigError("root", root, "must be the path of a folder", "give dataset.root=FOLDER")
    folder = Path(root).expanduser()
    try:
        if folder.is_dir():
            return folder
        there = folder.exists()
    except OSError as error:
        raise DataError(f"dataset.root={root}: cannot be read ({error.strerror})") from error
    if there:
        raise DataError(f"dataset.root={root}: is a file, and a folder is wanted")
    raise DataError(f"dataset.root={root}: there is no folder {folder.absolute()}; {near(folder)}")


def parts_of(root: Path, *, holding: Literal["folders", "pictures"] = "folders") -> dict[str, Path]:
    """The folders of the parts that are there, by their names in a config; the folder itself, where it has no parts.

    Args:
        root: the folder.
        holding: what lies in the folder of a part: folders, and no pictures beside them; or anything.

    Raises:
        DataError: a part that is there twice, a test part without a training part, pictures in a folder beside them.
    """
    known = {name: part for part, names in PARTS.items() for name in names}
    found: dict[str, Path] = {}
    others: list[Path] = []
    for folder in folders(root):
        part = known.get(folder.name.lower())
        if part is None or (holding == "folders" and (own_picture(folder) or not folders(folder))):
            others.append(folder)
        elif part in found:
            raise DataError(f"{root}: holds {found[part].name}/ and {folder.name}/, two {part} parts; keep one of them")
        else:
            found[part] = folder
    if not found:
        return {"train": root}
    names = ", ".join(f"{folder.name}/" for folder in found.values())
    if "train" not in found:
        raise DataError(f"{root}: holds {names}, and no train/ beside; {lying_in(root)}")
    for other in others:
        if any(suffix_of(file.name) in PICTURES for file in other.rglob("*")):
            rule = f"holds pictures and lies beside {names} which are parts, and is none of them"
            raise DataError(f"{other}: {rule}; move it into a part, or away")
    return {part: found[part] for part in PARTS if part in found}


def classes_in(part: Path) -> Labelled:
    """Pictures by folder: each folder is a class, in the order of the names, and holds its pictures, in folders or not.

    Raises:
        DataError: no class, one alone, one without a picture; a picture beside the folders.
    """
    named = folders(part)
    beside = own_picture(part)
    if not named:
        remedy = "put the pictures of each class into a folder of its name (pictures with masks: dataset=imagemasks)"
        raise DataError(f"{part}: holds no folder, and each class is one; {remedy}")
    if beside is not None:
        raise DataError(f"{beside}: lies beside the folders of the classes, in none of them; move it, or take it away")
    files: list[str] = []
    labels: list[int] = []
    for label, folder in enumerate(named):
        held = pictures(folder)
        if not held:
            raise DataError(f"{folder}: is a class without a picture; take the folder away, or fill it")
        files += held
        labels += [label] * len(held)
    if len(named) < 2:
        raise DataError(f"{part}: holds one class, {named[0].name}; there is nothing to tell apart")
    return Labelled(files, labels, [folder.name for folder in named])


def check_classes(train: Labelled, other: Labelled, folder: Path) -> None:
    """Refuse a part of other classes than the training part.

    Raises:
        DataError: names the classes that one has and the other lacks.
    """
    for have, lack, said in ((train, other, "lacks"), (other, train, "has, and train lacks,")):
        names = sorted(set(have.names) - set(lack.names))
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise DataError(
                f"{folder}: {said} the class{'es' * (len(names) > 1)} {', '.join(names[:SHOWN])}{more}; each part "
                "must hold the same classes"
            )
