"""Pictures that lie in a cache, as items of a data set."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrsched.console import say
from lrsched.data.batch import Batch
from lrsched.data.cache.cache import Cache
from lrsched.data.items import Items
from lrsched.data.partition import Partition

SMALLER = "give another folder by dataset.cache_root, or a smaller dataset.size"

SHOWN = 5
"""Classes that are said by name."""

if TYPE_CHECKING:
    from lrsched.data.folders.decoded import Decoded
    from lrsched.data.folders.read import Numbers
    from lrsched.data.stream.fetch import Part


class Held(Cache):
    """The pictures of a part, (x, y) each: uint8 [C, H, W]; and a label, or one for each pixel, int64 [H, W].

    Args:
        folder: of a cache of :class:`lrsched.data.folders.decoded.Decoded`, whose other columns are left out of items.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return Held, (self.folder,)

    def __getitem__(self, number: int) -> Any:
        x, y = self.take([range(len(self))[number]])
        return x[0], y[0]

    def take(self, numbers: Sequence[int] | Tensor) -> Batch:
        """A batch of some of them."""
        some = torch.as_tensor(numbers)
        return self.columns["x"].index_select(0, some), self.columns["y"].index_select(0, some).long()

    def seen(self) -> Numbers:
        """Which labels the files of the masks have, bool [256]."""
        return self.columns["seen"].any(0).numpy()


@dataclass(frozen=True, eq=False)
class Pictures(Items):
    """Pictures in a cache: standardised per channel by the training part, and split each class alike."""

    @property
    def partition(self) -> Partition:
        """Each part holds the classes alike, where a picture has one."""
        y: Tensor = self.train.columns["y"]
        return Partition(self.samples, torch.as_tensor(y).long() if y.ndim == 1 else None)

    def statistics(self, train: Part) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel over the training part, float32 [C]; see :func:`from_sums`."""
        sums: Tensor = train.items.columns["sums"]
        return from_sums(sums if train.places is None else sums[train.places], math.prod(self.facts["input_shape"][1:]))

    def sha256(self, arguments: Mapping[str, Any]) -> str:
        """A hash of every pixel and label, by those of the pictures; the folder's own name does not count."""
        digest = hashlib.sha256(repr(sorted(self.facts.items(), key=str)).encode())
        for name, items in self.given.items():
            digest.update(f"{name} {len(items)}".encode())
            digest.update(items.columns["content"].numpy().tobytes())
        return digest.hexdigest()


def kept(parts: Mapping[str, Decoded], root: str | None, workers: int, names: Sequence[str] = ()) -> dict[str, Held]:
    """The parts of a data set in a cache, read now if they are not there; then what was found is said, too.

    Args:
        parts: by name, not read yet.
        root: folder of caches, or None: the usual one.
        workers: processes that read files; 0: this one.
        names: of the classes.
    """
    from lrsched.data.cache.cached import cached, place_of

    place, known = place_of(root), {part: items.known() for part, items in parts.items()}
    if any(not (place / f"{part}-{known[part][:32]}").is_dir() for part in parts):
        say(found_in(parts, names))
    how: dict[str, Any] = {"root": place, "workers": workers, "remedy": SMALLER}
    return {part: Held(cached(items, what=part, known=known[part], **how).folder) for part, items in parts.items()}


def found_in(parts: Mapping[str, Decoded], names: Sequence[str]) -> str:
    """The parts and the classes of a data set in words."""
    counts = ", ".join(f"{len(items):,} pictures in {part}" for part, items in parts.items())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    classes = f" of {len(names)} classes ({', '.join(names[:SHOWN])}{more})" if names else ""
    absent = [part for part in ("validation", "test") if part not in parts]
    held = f"; {' and '.join(absent)} {'are' if len(absent) > 1 else 'is'} held out of train" if absent else ""
    return f"dataset.root={parts['train'].root}: {counts}{classes}{held}"


def forget(parts: Mapping[str, Held]) -> None:
    """Delete caches that no run can use."""
    for held in parts.values():
        shutil.rmtree(held.folder.parent, ignore_errors=True)
        with suppress(OSError):
            held.folder.parents[1].rmdir()  # if it is empty


def pictures(parts: Mapping[str, Held], facts: Mapping[str, Any], workers: int) -> Pictures:
    """The data set of these parts."""
    return Pictures(parts["train"], parts.get("validation"), parts.get("test"), facts=facts, workers=workers)


def from_sums(sums: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, float32 [C] each, of sums of the pictures.

    With n = pixels·N, S₁ = Σ v and S₂ = Σ v²: mean = S₁/n and std = √(n·S₂ − S₁²)/n, in whole numbers of any length
    up to the root. The std of a constant channel is 1.

    Args:
        sums: int64 [N, C, 2], Σ v and Σ v² of each picture.
        pixels: of a picture.

    >>> from_sums(torch.tensor([[[3, 5]]]), 2)
    (tensor([1.5000]), tensor([0.5000]))
    """
    n, means, deviations = pixels * len(sums), [], []
    for s1, s2 in sums.sum(0).tolist():
        means.append(s1 / n)
        deviations.append(math.sqrt(n * s2 - s1 * s1) / n or 1.0)
    return torch.tensor(means, dtype=torch.float32), torch.tensor(deviations, dtype=torch.float32)
