"""Pictures and their masks: found by the names of the files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lrsched.data.files import lying_in
from lrsched.data.folders.layout import parts_of
from lrsched.data.folders.walk import pictures
from lrsched.errors import DataError


@dataclass(frozen=True)
class Pairs:
    """Pictures, and the mask of each.

    Args:
        files, masks: of the same length, in order.
    """

    files: Sequence[str]
    masks: Sequence[str]


def pairs_of(root: Path, images: str, masks: str, suffix: str) -> dict[str, Pairs]:
    """The pairs of each part that is there: ``root/train/images`` or ``root/images/train``, or else all in one.

    Args:
        root: the folder.
        images, masks: names of the folders of pictures and of masks.
        suffix: what the name of a mask has behind that of its picture, as ``_mask``.

    Raises:
        DataError: a folder that is not there, a picture without a mask, or the reverse.
    """
    parts = parts_of(root)
    if len(parts) > 1 or parts["train"] != root:
        return {part: _pairs(_held(folder, images), _held(folder, masks), suffix) for part, folder in parts.items()}
    ours, theirs = (parts_of(_held(root, name), holding="pictures") for name in (images, masks))
    if list(ours) != list(theirs) or (ours["train"] == root / images) != (theirs["train"] == root / masks):
        said = [" and ".join(f"{folder.name}/" for folder in found.values()) for found in (ours, theirs)]
        raise DataError(f"{root}: the pictures lie in {said[0]} and the masks in {said[1]}; give both the same parts")
    return {part: _pairs(folder, theirs[part], suffix) for part, folder in ours.items()}


def _held(folder: Path, name: str) -> Path:
    """A folder in another one."""
    if not (folder / name).is_dir():
        raise DataError(f"{folder}: holds no folder {name}/; {lying_in(folder, f'{name}/')}")
    return folder / name


def _pairs(images: Path, masks: Path, suffix: str) -> Pairs:
    """Each picture with the mask of its name."""
    ours, theirs = _by_stem(images, ""), _by_stem(masks, suffix)
    for have, lack, what, where in ((ours, theirs, "mask", masks), (theirs, ours, "picture", images)):
        alone = [stem for stem in have if stem not in lack]
        if alone:
            more = f", nor to {len(alone) - 1} more" if len(alone) > 1 else ""
            behind = suffix if what == "mask" else ""
            rule = f"{where} has no {what} {alone[0]}{behind}.* to it{more}"
            raise DataError(f"{have[alone[0]]}: {rule}; add it, or take the file away (its end: dataset.suffix)")
    if not ours:
        raise DataError(f"{images}: holds no picture; {lying_in(images)}")
    stems = list(ours)
    return Pairs([ours[stem] for stem in stems], [theirs[stem] for stem in stems])


def _by_stem(folder: Path, suffix: str) -> dict[str, str]:
    """Pictures by their names without ``suffix`` and what follows it, with the folders between."""
    found: dict[str, str] = {}
    for file in pictures(folder):
        stem = os.path.splitext(os.path.relpath(file, folder))[0]
        if not stem.endswith(suffix):
            raise DataError(f"{file}: its name does not end in {suffix!r} (dataset.suffix); rename it, or take it away")
        stem = stem.removesuffix(suffix)
        if stem in found:
            other = os.path.basename(found[stem])
            raise DataError(f"{file}: has the name of {other}; pairs are found by it, so keep one of them")
        found[stem] = file
    return found
