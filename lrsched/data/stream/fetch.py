"""Make the items of a batch, in a worker or in this process: the same bytes in either."""

from __future__ import annotations

import math
import re
import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from lrsched.data.batch import Batch, columns
from lrsched.data.cache.cache import Cache
from lrsched.data.counts import MOST_WORKERS
from lrsched.data.data import target
from lrsched.data.stream.form import Collate, as_batch, shape_of
from lrsched.data.stream.keyed import Sparing, apart, set_by
from lrsched.data.stream.labels import Labels
from lrsched.errors import DataError, Stopped, UserError
from lrsched.seeds import key

LONGEST = 300
"""Characters of another's message that are shown."""

AT_REST = -1
"""The item that a worker makes, where it makes none."""


@dataclass(frozen=True)
class Part:
    """Some of the items of a data set.

    Args:
        name: train, validation or test, as its node in the config is called.
        items: map-style.
        places: int64 [N], where they lie; None: all of them, in order.
    """

    name: str
    items: Any
    places: Tensor | None = None

    def __len__(self) -> int:
        return len(self.items) if self.places is None else len(self.places)

    def numbers(self, these: Tensor) -> list[int]:
        """The data set's own numbers of some samples of this part."""
        return (these if self.places is None else self.places[these]).tolist()


@dataclass(frozen=True)
class Wanted:
    """A batch to make.

    Args:
        numbers: of the items in the data set.
        position: what the items' randomness is keyed by, beside the seed and each number: the epoch; nothing where
            items are the same each time.
    """

    numbers: Sequence[int]
    position: tuple[int, ...] = ()


@dataclass(frozen=True)
class Failed:
    """What went wrong instead of a batch; it travels between processes."""

    message: str


class Fetch(Dataset[Any]):
    """Gives a whole batch for a :class:`Wanted`: what torch's DataLoader is given as its data set.

    Args:
        part: where the items come from.
        collate: makes a batch of items, or None.
        seed: of the run.
        labels: what targets may be, or None: not known.

    Raises:
        DataError: the items are decoded already, and one of them has another target.
    """

    def __init__(self, part: Part, collate: Collate | None, seed: int, labels: Labels | None = None) -> None:
        self.part, self._collate, self._seed, self._labels = part, collate, seed, labels
        self._sparing = Sparing()
        if labels is not None and isinstance(part.items, Cache):
            self._refuse_label(part.items, labels)
        from multiprocessing.sharedctypes import RawArray  # takes milliseconds, and data in memory need none

        self.making = RawArray("q", [AT_REST] * MOST_WORKERS)

    def __getitem__(self, wanted: Wanted) -> Batch | Failed:
        return self.__getitems__(wanted)

    def __getitems__(self, wanted: Wanted) -> Batch | Failed:
        """The batch; what the items raise comes back as words, and is no error of torch's loader."""
        try:
            return self._batch(wanted)
        except DataError as error:
            return Failed(str(error))

    def here(self, wanted: Wanted) -> Batch:
        """The batch, made in this process, whose random generators do not notice.

        Raises:
            DataError: names the sample that cannot be made.
        """
        with apart():
            return self._batch(wanted)

    def item(self, number: int, position: tuple[int, ...], sparing: Sparing) -> Any:
        """One item, drawn by its key.

        Args:
            number, position: of the item, as in :class:`Wanted`.
            sparing: sets the generators; it has begun.

        Raises:
            DataError: it raised an error.
        """
        try:
            return sparing.make(lambda: self.part.items[number], self.seed(number, position))
        except BaseException as error:
            if not blames(error):
                raise
            said = f": {error}" if isinstance(error, UserError) else f" raised {raised(error)}"
            raise DataError(f"{self.where(number)}{said}") from error

    def seed(self, number: int, position: tuple[int, ...]) -> int:
        """The key of an item's randomness."""
        return key(self._seed, f"item/{self.part.name}", *position, number)

    def items(self, wanted: Wanted) -> list[Any]:
        """The items of a batch, each drawn by its key.

        Raises:
            DataError: as for :meth:`item`.
        """
        info = get_worker_info()
        slot = MOST_WORKERS - 1 if info is None else info.id
        if isinstance(self.part.items, Cache):  # which draws nothing
            return [self.part.items[number] for number in wanted.numbers]
        items: list[Any] = []
        self._sparing.begin(self.seed(wanted.numbers[0], wanted.position))
        for number in wanted.numbers:
            self.making[slot] = number
            items.append(self.item(number, wanted.position, self._sparing))
        self.making[slot] = AT_REST
        return items

    def _batch(self, wanted: Wanted) -> Batch:
        items = self.items(wanted)
        try:
            if self._collate is not None:  # torch's own draws nothing
                set_by(key(self._seed, f"batch/{self.part.name}", *wanted.position, *wanted.numbers[:1]))
            batch = as_batch(items, self._collate)
        except BaseException as error:
            if not blames(error):
                raise
            raise DataError(self._uneven(wanted.numbers, items, error)) from error
        self._check(batch, wanted.numbers)
        return batch

    @property
    def decoded(self) -> Cache | None:
        """Items that a batch is taken of as a whole, by :meth:`taken`; None: they are made one by one."""
        return self.part.items if isinstance(self.part.items, Cache) and self._collate is None else None

    def taken(self, items: Cache, these: Tensor) -> Batch:
        """A batch of decoded items, whose numbers were looked at when they were decoded.

        Args:
            items: those of the part.
            these: samples of the part.
        """
        numbers = these if self.part.places is None else self.part.places[these]
        batch = items.take(numbers)
        if self._labels is not None and (self._labels.yes_or_no or not items.knows_labels):
            self._check(batch, numbers.tolist(), decoded=True)
        return batch

    def _refuse_label(self, items: Cache, labels: Labels) -> None:
        """Refuse decoded items of other targets than the labels."""
        wrong = items.wrong_label(labels)
        if wrong is not None:
            number, value = wrong
            name = items.form.columns[items.form.target or 0].name
            raise DataError(f"{self.where(number)} holds {value} in {name}; {labels.rule}")

    def _uneven(self, numbers: Sequence[int], items: list[Any], error: BaseException) -> str:
        """Why items make no batch: two of different forms, or what else the error says."""
        forms = list(map(shape_of, items))
        other = next((number for number, form in enumerate(forms) if form != forms[0]), None)
        if self._collate is None and other is not None:
            return (
                f"{self.where(numbers[other])} is {forms[other]}, and sample {numbers[0]} of the same batch "
                f"{forms[0]}; bring items to one form in __getitem__, or give dataset.collate, as dataset.collate=pad"
            )
        if self._collate is None and re.search(r"a \w*Image\w*\b", str(forms[0])):
            return (
                f"{self.where(numbers[0])} is {forms[0]}; pictures become tensors by a transform, in YAML transform: "
                "{_target_: torchvision.transforms.ToTensor}"
            )
        said = str(error) if isinstance(error, UserError) else raised(error)
        doing = "" if isinstance(error, DataError) else "collate raised "
        return f"{self.where(numbers[0])} and those after it make no batch: {doing}{said}"

    def _check(self, batch: Batch, numbers: Sequence[int], *, decoded: bool = False) -> None:
        """Refuse numbers that are not finite, where nobody has looked, and targets that are no class."""
        y = target(batch)
        for name, column in columns(batch).items():
            wrong, rule = None, ""
            # The sum is eight times as fast as to look at each.
            if not decoded and column.is_floating_point() and not math.isfinite(column.sum().item()):
                wrong, rule = ~column.isfinite(), "every value must be finite"
            if wrong is None and column is y and self._labels is not None and self._labels.looks_at(column):
                wrong, rule = self._labels.wrong(column), self._labels.rule
            if wrong is not None and bool(wrong.any()):
                where = wrong.nonzero()[0].tolist()
                value = column[tuple(where)].item()
                raise DataError(f"{self.where(numbers[where[0]])} holds {value} in {name}; {rule}")

    def where(self, number: int) -> str:
        """A sample, for messages."""
        return f"dataset.{self.part.name}: sample {number}"


def blames(error: BaseException) -> bool:
    """Whether an error that came while an item was made is the item's: sys.exit() too, and an interrupt of its own."""
    if isinstance(error, KeyboardInterrupt):  # Ctrl-C raises one, unless a run listens to the signal
        return signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    return not isinstance(error, (Stopped, MemoryError))


def unpacked(made: Batch | Failed) -> Batch:
    """The batch.

    Raises:
        DataError: there is none.
    """
    if isinstance(made, Failed):
        raise DataError(made.message)
    return made


def raised(error: BaseException) -> str:
    """An error of a user's own code: its type, its first line, and the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and __file__ != frame.filename]
    last = (own or list(frames))[-1]
    reason = (str(error).strip().splitlines() or [""])[0][:LONGEST]
    return f"{type(error).__name__}: {reason} (line {last.lineno} of {last.filename})"
