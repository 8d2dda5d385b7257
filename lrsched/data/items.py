"""Define Items: a data set whose samples are made one by one, when they are needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from lrsched.data.batch import Batch, column, samples
from lrsched.data.cache.cache import Cache
from lrsched.data.counts import MOST_WORKERS
from lrsched.data.data import is_whole, target
from lrsched.data.pad import Pad
from lrsched.data.partition import Partition
from lrsched.data.stream.fetch import Fetch, Part, Wanted
from lrsched.data.stream.identify import identity
from lrsched.data.stream.labels import Labels
from lrsched.data.transform import Augmented, Standardise, Transform
from lrsched.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from lrsched.data.augment import Augment

COLLATES: Mapping[str, Callable[[list[Any]], Any] | None] = {"default": None, "pad": Pad()}
"""What may be given by name for ``collate``."""

LOOK = ()
"""The key of items that are made to look at them, and of those of evaluations: the same in each."""


@dataclass(frozen=True, eq=False)
class Items:
    """Samples that are made one by one: any map-style ``torch.utils.data.Dataset``, or what has its two methods.

    ``train[i]`` is a sample: a tensor, a tuple (x, y) or (x, y, weight), or a mapping of tensors, arrays and numbers.
    What it draws from Python's, NumPy's and torch's own generators is set by (seed, epoch, i), so that batches are
    the same for any number of workers, and after a resume.

    Args:
        train, validation, test: with ``__len__`` and ``__getitem__``; None: held out of ``train`` at random.
        facts: what a model or a task may ask for by the names of its parameters. Found, if they are not given:
            ``input_shape``, ``features`` and ``targets`` by the first two items; ``classes`` by an attribute of
            ``train``: ``classes``, ``num_classes``, or ``targets``, the largest + 1. Items are never read for it.
        collate: makes a batch of a list of items; ``pad`` fills up those of different lengths; None: torch's own.
        workers: processes that make batches; 0: the one that trains.
        prefetch: batches that each of them makes ahead.
        cache: decode the samples once, into memory-mapped files that later runs open; what is random in a sample is
            drawn once then.
        cache_root: folder of these files; None: ``$LRSCHED_CACHE``, or else ``lrsched`` among the user's caches.

    Raises:
        ConfigError: a name or a number that cannot be used.
        DataError: a data set without a length, or without a sample.

    >>> items = Items([(torch.zeros(3), 0), (torch.ones(3), 1)], facts={"classes": 2})
    >>> items.samples, items.facts["features"], items.facts["classes"]
    (2, 3, 2)
    """

    train: Any
    validation: Any = None
    test: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    collate: Any = None
    workers: int = 2
    prefetch: int = 2
    cache: bool = False
    cache_root: str | None = None

    fill: ClassVar[None] = None
    """No stand-ins for missing inputs: an item is whole."""

    def __post_init__(self) -> None:
        for name, least, most in (("workers", 0, MOST_WORKERS - 1), ("prefetch", 1, 10**6)):
            number = getattr(self, name)
            if type(number) is not int or not least <= number <= most:
                raise ConfigError(name, number, f"must be a whole number from {least} to {most}")
        if isinstance(self.collate, str):
            if self.collate not in COLLATES:
                raise ConfigError("collate", self.collate, "is no way to make a batch", nearest(self.collate, COLLATES))
            object.__setattr__(self, "collate", COLLATES[self.collate])
        elif self.collate is not None and not callable(self.collate):
            raise ConfigError("collate", type(self.collate).__name__, "must be default, pad, or what can be called")
        if type(self.cache) is not bool:
            raise ConfigError("cache", self.cache, "must be true or false")
        if self.cache_root is not None and (not isinstance(self.cache_root, str) or not self.cache_root.strip()):
            raise ConfigError("cache_root", self.cache_root, "must be the path of a folder, or null")
        if not isinstance(self.facts, Mapping):
            raise ConfigError("facts", self.facts, "must be a mapping of facts by their names", "as in {classes: 10}")
        for name, items in self.given.items():
            require_map_style(name, items)
        object.__setattr__(self, "facts", {**self._found(), **self.facts})

    @property
    def given(self) -> dict[str, Any]:
        """The data sets that were given, by their names."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: items for name, items in parts.items() if name == "train" or items is not None}

    @property
    def samples(self) -> int:
        """Samples of the training part, of which others may be held out."""
        return len(self.train)

    @property
    def decoded(self) -> bool:
        """Whether all samples lie in memory-mapped files."""
        return all(isinstance(items, Cache) for items in self.given.values())

    @property
    def makers(self) -> int:
        """Processes that make batches: none where batches of decoded samples are taken as a whole."""
        return 0 if self.collate is None and self.decoded else self.workers

    @property
    def partition(self) -> Partition:
        """How the samples may be dealt out to parts."""
        return Partition(self.samples)

    def sha256(self, arguments: Mapping[str, Any]) -> str:
        """What tells these data apart; see :func:`lrsched.data.stream.identify.identity`.

        Args:
            arguments: what the config's node says of the samples, by name.
        """
        return identity([Fetch(Part(name, items), None, 0) for name, items in self.given.items()], arguments)

    def fetch(self, part: Part, seed: int, labels: Labels | None = None) -> Fetch:
        """What makes the batches of a part.

        Args:
            part: of the data.
            seed: of the items' randomness.
            labels: what whole-numbered targets may be; None: anything.
        """
        return Fetch(part, self.collate, seed, labels)

    def transform(self, train: Part, device: torch.device, augment: Augment | None = None) -> Transform:
        """What brings batches of items into the form that the model is given; it runs in the process that trains.

        Args:
            train: the training part.
            device: of the batches.
            augment: random changes of training images, or None.

        Raises:
            ConfigError: these items cannot be changed so.
        """
        change, mean, told = Transform(), None, self.statistics(train)
        if told is not None:
            mean, std = (each.reshape(1, -1, 1, 1) for each in told)
            change = Standardise(mean, std, device)
        if augment is None:
            return change
        return Augmented(augment.of(self.look(train), device, classes=self.facts.get("classes"), mean=mean), change)

    def statistics(self, train: Part) -> tuple[Tensor, Tensor] | None:
        """The mean and standard deviation of each channel of the training images, [C] each, to standardise by.

        None, as here: the model is given items as they are. A subclass that knows its pixels overrides this.

        Args:
            train: the training part.
        """
        return None

    def look(self, part: Part | None = None, labels: Labels | None = None) -> Batch:
        """The first two samples of a part as a batch; of the training part by itself.

        Args:
            part: of the data.
            labels: what targets may be, or None: not known.

        Raises:
            DataError: a sample cannot be made, or its target is none of the labels.
        """
        part = Part("train", self.train) if part is None else part
        return self.fetch(part, 0, labels).here(Wanted(part.numbers(torch.arange(min(2, len(part)))), LOOK))

    def _found(self) -> dict[str, Any]:
        """The facts that the first items and the attributes of the data set tell."""
        part = Part("train", self.train)
        batch = Fetch(part, self.collate, 0).here(Wanted(part.numbers(torch.arange(min(2, len(part)))), LOOK))
        x, y = column(batch, 0), target(batch)
        found: dict[str, Any] = {"input_shape": tuple(x.shape[1:]), "features": math.prod(x.shape[1:])}
        if y is not None:
            found["targets"] = math.prod(y.shape[1:])
            classes = classes_of(self.train) if is_whole(y) else None
            if classes is not None:
                found["classes"] = classes
        if x.dtype == torch.uint8 and x.ndim == 4 and x.shape[1] > 4 >= x.shape[3]:
            rule = f"images are [C, H, W], and these are {list(x.shape[1:])}; give image.permute(2, 0, 1)"
            raise DataError(f"dataset.train: {rule}")
        assert samples(batch)
        return found


def require_map_style(name: str, items: Any) -> None:
    """Refuse a data set whose samples cannot be taken by their numbers.

    Raises:
        DataError: says what to do instead.
    """
    kind, what = type(items).__name__, f"dataset.{name}"
    if isinstance(items, (str, bytes, Mapping)):
        told = f"has several, {', '.join(map(str, items))}" if isinstance(items, Mapping) else f"is the text {items!r}"
        raise DataError(f"{what}: {told}; one data set is wanted: in YAML a node with a _target_ and what it takes")
    if isinstance(items, IterableDataset) or not (hasattr(items, "__getitem__") and hasattr(items, "__len__")):
        can = "is iterable, and has no samples by number" if hasattr(items, "__iter__") else "has no samples"
        raise DataError(
            f"{what}: {kind} {can}: a run could not be resumed exactly, nor shuffled; give a map-style data set, with "
            "__len__ and __getitem__ (of Hugging Face: load it without streaming), or write the samples to files once "
            "and read them by number"
        )
    try:
        length = len(cast("Sized", items))
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise DataError(f"{what}: {kind} has no length ({said}); let __len__ give the number of samples") from error
    if not length:
        raise DataError(f"{what}: {kind} has no samples")


def classes_of(items: Any) -> int | None:
    """The number of classes, by the attributes of a data set or of the one that it is a part of; None: not told.

    >>> from types import SimpleNamespace
    >>> [classes_of(SimpleNamespace(**told)) for told in ({"classes": ["a", "b"]}, {"targets": [0, 3]}, {})]
    [2, 4, None]
    """
    for name in ("classes", "num_classes"):
        told = getattr(items, name, None)
        if type(told) is int and told > 0:
            return told
        if isinstance(told, (list, tuple, Mapping)) and told:
            return len(cast("Sized", told))
    told = getattr(items, "targets", None)
    if isinstance(told, (list, tuple, Tensor, np.ndarray)) and len(cast("Sized", told)):
        labels = np.asarray(told)
        if labels.dtype.kind in "iu":
            return int(labels.max()) + 1
    features = getattr(items, "features", None)  # of Hugging Face
    if isinstance(features, Mapping):
        each = cast("Mapping[str, Any]", features).values()
        counts = {getattr(getattr(one, "feature", one), "num_classes", None) for one in each}  # of tokens, or of texts
        if len(counts - {None}) == 1:
            return next(iter(counts - {None}))
    inner = getattr(items, "dataset", None)  # of torch.utils.data.Subset
    return None if inner is None or inner is items else classes_of(inner)
