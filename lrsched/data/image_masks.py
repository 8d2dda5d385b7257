"""Read pictures and a mask of each, that says the class of every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lrsched.data.counts import Counted
from lrsched.data.image_folder import check_keys
from lrsched.data.source import Source
from lrsched.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from lrsched.data.folders.held import Pictures


@dataclass(frozen=True, kw_only=True)
class ImageMasks(Source):
    """Pictures and masks of their size: ``root/images/1.jpg`` and ``root/masks/1.png``, found by the name.

    A mask is a picture without loss whose pixels are whole numbers, grey values or numbers in a palette. It is brought
    to the size of all as its picture is, but each pixel is that of the file nearest to it: no number is made up. Parts
    are ``root/train/images``, ``root/val/images``, … or ``root/images/train``, …; what is not there is held out of
    ``train`` at random. All is read once, as by :class:`lrsched.data.ImageFolder`.

    Args:
        root, size, channels, fit, cache_root, workers: as for :class:`lrsched.data.ImageFolder`.
        images, masks: names of the two folders.
        suffix: what the name of a mask has behind that of its picture, as ``_mask``.
        labels: numbers in the masks' files, and of each the name or the number of its class, or null: it counts
            nowhere. None: a number is its class.
        classes: how many there are; None: as ``labels`` say, or as the masks hold.
        ignore: a label that counts nowhere, or None: the task's own.

    Raises:
        ConfigError: a key that cannot be used.
        DataError: names the file or the folder, and what is wrong with it.
    """

    root: str
    images: str = "images"
    masks: str = "masks"
    suffix: str = ""
    labels: Mapping[int, Any] | None = None
    classes: int | None = None
    ignore: int | None = None
    size: Any = 64
    channels: int = 3
    fit: Literal["crop", "squash"] = "crop"
    cache_root: str | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        from lrsched.data.folders.coding import coding_of

        check_keys(self)
        coding_of(self.labels, self.classes, self.ignore)
        for name in ("images", "masks"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip("/. ") or "\0" in value:
                raise ConfigError(name, value, "must be the name of a folder in dataset.root")
        if not isinstance(self.suffix, str):
            raise ConfigError("suffix", self.suffix, "must be text, as _mask", "quote a number")
        if self.images == self.masks:
            raise ConfigError(
                "masks", self.masks, "is the folder of the pictures too", "put masks into one of their own"
            )

    def count(self) -> Counted:
        """The pairs of the training part, no file of them opened."""
        from lrsched.data.folders.layout import root_of
        from lrsched.data.folders.pairs import pairs_of

        parts = pairs_of(root_of(self.root), self.images, self.masks, self.suffix)
        return Counted(len(parts["train"].files), "test" in parts, "validation" in parts)

    def load(self) -> Pictures:
        """The pictures and their masks, in a cache."""
        from lrsched.data.folders.coding import classes_found, coding_of
        from lrsched.data.folders.decoded import Decoded
        from lrsched.data.folders.held import forget, kept, pictures
        from lrsched.data.folders.layout import root_of
        from lrsched.data.folders.pairs import pairs_of
        from lrsched.data.folders.size import size_of

        root, size = root_of(self.root), size_of(self.size, self.fit)
        coding = coding_of(self.labels, self.classes, self.ignore)
        decoded = {
            part: Decoded(root, pairs.files, pairs.masks, self.channels, size, coding)
            for part, pairs in pairs_of(root, self.images, self.masks, self.suffix).items()
        }
        parts = kept(decoded, self.cache_root, self.workers, coding.names or ())
        seen = np.logical_or.reduce([part.seen() for part in parts.values()])
        try:
            facts: dict[str, Any] = {"classes": coding.classes or classes_found(seen, self.ignore, root)}
        except DataError:
            forget(parts)
            raise
        if coding.names is not None:
            facts["class_names"] = tuple(coding.names)
        return pictures(parts, facts, self.workers)

    def inputs(self, path: str) -> Tensor:
        """Pictures to predict, as those of the data set: of a file, or of a folder in the order of the names.

        Raises:
            DataError: names the file that cannot be read, or the folder without one.
        """
        from lrsched.data.folders.decoded import inputs_at
        from lrsched.data.folders.size import size_of

        return inputs_at(path, self.channels, size_of(self.size, self.fit))
