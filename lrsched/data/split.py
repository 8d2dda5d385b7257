"""Split a data set into a training, a validation and a test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrsched.data.batch import Batch, each, samples
from lrsched.data.data import Data
from lrsched.data.loader import InOrder, Loader, order
from lrsched.data.partition import Partition
from lrsched.data.transform import Transform

if TYPE_CHECKING:
    from lrsched.data.augment import Augment


@dataclass(frozen=True, eq=False)
class Splits:
    """Three parts of a data set.

    Args:
        train, validation, test: columns of samples.
        facts: for models and tasks, with those that the training part tells.
        places: int64 [N] each: where the samples of the training and the validation part, and of a test part that was
            held out, lie in the source's training part.
        partition: how they were dealt out.
        data: the data set; its samples are let go of.
    """

    train: Batch
    validation: Batch
    test: Batch
    facts: Mapping[str, Any]
    places: Sequence[Tensor]
    partition: Partition
    data: Data

    @property
    def samples(self) -> int:
        """Training samples."""
        return samples(self.train)

    def like(self) -> Batch:
        """Samples like those of the training part, in its form: that part itself, or a few of it."""
        return self.train

    def loader(self, transform: Transform, labels: object = None, **how: Any) -> Loader:
        """Training batches; ``how`` as for :class:`Loader`. The task has seen all labels already."""
        return Loader(self.train, transform, **how)

    def in_order(self, part: str, transform: Transform, labels: object = None, **how: Any) -> InOrder:
        """The batches of ``validation`` or ``test``; ``how`` as for :class:`InOrder`."""
        return InOrder(getattr(self, part), transform, **how)

    def order(self, seed: int, epoch: int, samples: int) -> Tensor:
        """The order of an epoch, int64 [samples]."""
        return order(seed, epoch, samples)

    def transform(self, device: torch.device, augment: Augment | None = None) -> Transform:
        """What brings raw samples into the form that the model is given; see :meth:`Data.transform`."""
        return self.data.transform(self.train, device, augment)


def split(data: Data, *, validation: float, test: float, seed: int, fold: int | None = None, folds: int = 5) -> Splits:
    """Hold out a test part, unless the source has one, then a validation part of the rest.

    Args:
        data: the data set.
        validation: fraction of the training part, without the test part; unused with ``fold``.
        test: fraction of the whole; unused if the source has a test part.
        seed: of the split, not of the run: runs of different seeds share their test samples.
        fold: number of the fold that validates, from 0, or None.
        folds: how many there are.

    Raises:
        ConfigError: a fraction outside (0, 1), or one that leaves a part without a sample or a class.
    """
    places = data.partition.parts(
        validation=validation, test=test if data.test is None else None, seed=seed, fold=fold, folds=folds
    )
    train, validating, *tested = (_part(data, these) for these in places)
    held = tested[0] if data.test is None else data.test
    return Splits(train, validating, held, data.facts_of(train), places, data.partition, _without_samples(data))


def _part(data: Data, these: Tensor) -> Batch:
    """Some of the samples; of samples in order a view, for windows of a text lie in one another's memory."""
    if data.order == "last":
        return each(data.train, lambda column: column[int(these[0]) : int(these[-1]) + 1])
    return each(data.train, lambda column: column[these])


def _without_samples(data: Data) -> Data:
    """What knows how to transform: the parts are copies or views, and memory need not hold every sample twice."""
    rest = copy(data)
    for name in ("train", "test", "strata", "groups"):
        object.__setattr__(rest, name, None)
    return rest
