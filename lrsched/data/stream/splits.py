"""Split items into a training, a validation and a test part: by their numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor

from lrsched.data.batch import Batch
from lrsched.data.counts import check_fold
from lrsched.data.items import Items
from lrsched.data.partition import Partition
from lrsched.data.stream.batches import Hands, ItemLoader, ItemsInOrder
from lrsched.data.stream.fetch import Part
from lrsched.data.stream.labels import Labels
from lrsched.data.stream.permutation import whole_order
from lrsched.data.transform import Transform

if TYPE_CHECKING:
    from lrsched.data.augment import Augment


@dataclass(frozen=True, eq=False)
class GivenParts(Partition):
    """How items are dealt out, where a validation part may be there already.

    Args:
        validates: it is.
    """

    validates: bool = False

    def parts(
        self, *, validation: float, test: float | None, seed: int, fold: int | None = None, folds: int = 5
    ) -> tuple[Tensor, ...]:
        """As for :class:`Partition`; a validation part that is there already takes none of the training samples."""
        if not self.validates:
            return super().parts(validation=validation, test=test, seed=seed, fold=fold, folds=folds)
        none = torch.empty(0, dtype=torch.int64)
        if test is None:
            return torch.arange(self.samples), none
        rest, held = self.hold_out(test, seed, "test")
        return rest, none, held


class Places(Sequence[Tensor]):
    """Where the samples of each part lie, listed when somebody looks: there may be very many.

    Args:
        samples: of the training part as it was given.
        parts: what was dealt out; None stands for all of them, in order.
    """

    def __init__(self, samples: int, parts: Sequence[Tensor | None]) -> None:
        self._samples, self._parts = samples, parts

    @overload
    def __getitem__(self, number: int) -> Tensor: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Tensor]: ...
    def __getitem__(self, number: int | slice) -> Tensor | Sequence[Tensor]:
        """The places of a part."""
        if isinstance(number, slice):
            return [self[n] for n in range(len(self))[number]]
        found = self._parts[number]
        return torch.arange(self._samples) if found is None else found

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[number] for number in range(len(self)))


@dataclass(frozen=True, eq=False)
class ItemSplits:
    """Three parts of items: what :class:`lrsched.data.split.Splits` is for data in memory.

    Args:
        train, validation, test: the parts, each a :class:`Part`.
        places: where the samples of the training and the validation part, and of a test part that was held out, lie in
            the data set that was given for training.
        partition: how they were dealt out.
        data: the data set.
    """

    train: Any
    validation: Any
    test: Any
    places: Places
    partition: Partition
    data: Items

    @property
    def facts(self) -> Mapping[str, Any]:
        """For models and tasks."""
        return self.data.facts

    @property
    def samples(self) -> int:
        """Training samples."""
        return len(self.train)

    def like(self) -> Batch:
        """The first two training samples."""
        return self._few

    def transform(self, device: torch.device, augment: Augment | None = None) -> Transform:
        """What brings raw samples into the form that the model is given; see :meth:`Items.transform`."""
        return self.data.transform(self.train, device, augment)

    def loader(self, transform: Transform, labels: Labels | None = None, **how: Any) -> ItemLoader:
        """Training batches; ``labels`` are what targets may be, ``how`` as for :class:`ItemLoader`."""
        return ItemLoader(self.data.fetch(self.train, how.get("seed", 0), labels), self._hands, transform, **how)

    def in_order(self, part: str, transform: Transform, labels: Labels | None = None, **how: Any) -> ItemsInOrder:
        """The batches of ``validation`` or ``test``, the same in all runs."""
        return ItemsInOrder(self.data.fetch(getattr(self, part), 0, labels), self._hands, transform, **how)

    def order(self, seed: int, epoch: int, samples: int) -> Tensor:
        """The order of an epoch, as a list."""
        return whole_order(seed, epoch, samples)

    @cached_property
    def _few(self) -> Batch:
        return self.data.look(self.train)

    @property
    def _hands(self) -> Hands:
        return Hands(self.data.makers, self.data.prefetch)


def split_items(
    data: Items, *, validation: float, test: float, seed: int, fold: int | None = None, folds: int = 5
) -> ItemSplits:
    """Hold out what was not given of a validation and a test part, at random.

    Args:
        data, validation, test, seed, fold, folds: as for :func:`lrsched.data.split.split`; the two fractions are unused
            where the part was given.

    Raises:
        ConfigError: a fraction that leaves a part without a sample, or a fold where a validation part was given.
    """
    validates = data.validation is not None
    if validates and fold is not None:
        check_fold(fold, folds, samples=data.samples, validates=True)
    partition = GivenParts(data.samples, data.partition.strata, validates=validates)
    held = None if data.test is not None else test
    parts: list[Tensor | None] = [None, torch.empty(0, dtype=torch.int64)]
    if not validates or held is not None:
        parts[:] = partition.parts(validation=validation, test=held, seed=seed, fold=fold, folds=folds)
    given = data.given
    train = Part("train", data.train, parts[0])
    validating = Part("validation", data.validation) if validates else Part("train", data.train, parts[1])
    tested = Part("test", given["test"]) if "test" in given else Part("train", data.train, parts[2])
    return ItemSplits(train, validating, tested, Places(data.samples, parts), partition, data)
