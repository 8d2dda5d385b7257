"""Read pictures that lie in a folder for each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lrsched.data.counts import MOST_WORKERS, Counted
from lrsched.data.source import Source
from lrsched.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from lrsched.data.folders.held import Pictures
    from lrsched.data.folders.layout import Labelled


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Source):
    """Pictures in folders, one for each class: ``root/cat/1.jpg``, or in parts ``root/train/cat/1.jpg``.

    The classes are the folders in the order of their names, as in torchvision's class of this name. Parts are the
    folders ``train``, ``val`` (or ``valid``, ``validation``) and ``test``; what is not there of the latter two is held
    out of ``train`` at random, each class alike. Each picture is read once, brought to one size (:class:`Size
    <lrsched.data.folders.size.Size>`), and kept in a cache on disk, which is built again where a file has changed.

    Args:
        root: the folder.
        size: of all pictures in pixels: [height, width], or one number for both.
        channels: 3: red, green and blue; 1: grey.
        fit: crop: scale to cover the size, and cut the middle; squash: scale both sides.
        cache_root: folder of caches; None: ``$LRSCHED_CACHE``, or ``~/.cache/lrsched``.
        workers: processes that read the files; 0: the one that trains.

    Raises:
        ConfigError: a key that cannot be used.
        DataError: names the file or the folder, and what is wrong with it.
    """

    root: str
    size: Any = 64
    channels: int = 3
    fit: Literal["crop", "squash"] = "crop"
    cache_root: str | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        check_keys(self)

    def count(self) -> Counted:
        """The files of the training part, none of them opened."""
        from lrsched.data.folders.layout import root_of

        parts = self._parts(root_of(self.root))
        return Counted(len(parts["train"].files), "test" in parts, "validation" in parts)

    def load(self) -> Pictures:
        """The pictures, in a cache."""
        from lrsched.data.folders.decoded import Decoded
        from lrsched.data.folders.held import kept, pictures
        from lrsched.data.folders.layout import root_of
        from lrsched.data.folders.size import size_of

        root, size = root_of(self.root), size_of(self.size, self.fit)
        parts = self._parts(root)
        decoded = {part: Decoded(root, held.files, held.labels, self.channels, size) for part, held in parts.items()}
        names = tuple(parts["train"].names)
        facts = {"classes": len(names), "class_names": names}
        return pictures(kept(decoded, self.cache_root, self.workers, names), facts, self.workers)

    def _parts(self, root: Path) -> dict[str, Labelled]:
        """The files of each part."""
        from lrsched.data.folders.layout import check_classes, classes_in, parts_of

        parts = {part: (folder, classes_in(folder)) for part, folder in parts_of(root).items()}
        for folder, other in parts.values():
            check_classes(parts["train"][1], other, folder)
        return {part: held for part, (_, held) in parts.items()}

    def inputs(self, path: str) -> Tensor:
        """Pictures to predict, as those of the data set: of a file, or of a folder in the order of the names.

        Raises:
            DataError: names the file that cannot be read, or the folder without one.
        """
        from lrsched.data.folders.decoded import inputs_at
        from lrsched.data.folders.size import size_of

        return inputs_at(path, self.channels, size_of(self.size, self.fit))


def check_keys(source: Any) -> None:
    """Refuse keys of a folder of pictures that cannot be used.

    Raises:
        ConfigError: names the key.
    """
    from lrsched.data.folders.size import size_of

    size_of(source.size, source.fit)
    if type(source.channels) is not int or source.channels not in (1, 3):
        raise ConfigError("channels", source.channels, "must be 3 (red, green, blue) or 1 (grey)")
    if type(source.workers) is not int or not 0 <= source.workers < MOST_WORKERS:
        raise ConfigError("workers", source.workers, f"must be a whole number from 0 to {MOST_WORKERS - 1}")
    root = source.cache_root
    if root is not None and (not isinstance(root, str) or not root.strip() or "\0" in root):
        raise ConfigError("cache_root", root, "must be the path of a folder, or null")
