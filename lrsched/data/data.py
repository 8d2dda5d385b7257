"""Define Data: the samples of a data set, in memory and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from lrsched.data.batch import Batch, column, columns, place, samples
from lrsched.data.partition import Partition
from lrsched.data.statistics import MOST, stand_ins, statistics
from lrsched.data.transform import Augmented, Fill, Standardise, Transform, filled
from lrsched.errors import DataError

if TYPE_CHECKING:
    from lrsched.data.augment import Augment


@dataclass(frozen=True, eq=False)
class Data:
    """Samples of any kind, checked: tensors of any type and shape, samples first.

    Args:
        train: columns of the N training samples, [N, …]: a tuple (x, y) or (x, y, weight), or a mapping of tensors.
        test: the source's own test part in the same form, samples first, or None: one is held out.
        facts: what a model or a task may ask for by the names of its parameters. Found by themselves, if they are
            not given: ``input_shape``, ``features`` (numbers in an input), ``classes`` (of whole-numbered targets:
            the largest + 1), ``targets`` (numbers in a target).
        strata: int64 [N] or None: classes of the training samples that each part shall hold alike.
        groups: int64 [N] or None: training samples of one number go to one part together.
        order: ``last``: the held-out parts are the last samples, in order, as for a time series.
        gap: with ``last``, samples to leave out before each held-out part, such as windows that reach into it.
        standardise: bring each input number to mean 0 and standard deviation 1 over the training part, and tell the
            task ``target_mean`` and ``target_std``.
        fill: what stands for an input that is missing (NaN): its mean or median over the training part, or a number;
            None: every input must be there.

    Raises:
        DataError: no sample, columns of different lengths, parts of different columns, a number that is not finite,
            groups of samples that must stay in order.

    >>> data = Data((torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])))
    >>> data.facts["features"], data.facts["classes"]
    (3, 2)
    """

    train: Batch
    test: Batch | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    strata: Tensor | None = None
    groups: Tensor | None = None
    order: Literal["shuffled", "last"] = "shuffled"
    gap: int = 0
    standardise: bool = False
    fill: Literal["mean", "median"] | float | None = None

    def __post_init__(self) -> None:
        self._check_choices()
        check_part("train", self.train, missing=self.fill is not None)
        if self.test is not None:
            check_part("test", self.test, missing=self.fill is not None)
            check_alike(self.train, self.test)
        for name in ("strata", "groups"):
            numbers = getattr(self, name)
            if numbers is not None and (numbers.ndim != 1 or len(numbers) != self.samples or not is_whole(numbers)):
                raise DataError(f"{name}: must be whole numbers [{self.samples}], one a sample, not {form(numbers)}")
        if self.groups is not None and self.order == "last":
            raise DataError("groups: are drawn at random, and order=last keeps samples in order; give one of the two")
        object.__setattr__(self, "facts", {**self._found(), **self.facts})

    def _check_choices(self) -> None:
        if self.order not in ("shuffled", "last"):
            raise DataError(f"order: must be shuffled or last, not {self.order!r}")
        if type(self.gap) is not int or self.gap < 0:
            raise DataError(f"gap: must be a whole number of samples, 0 or more, not {self.gap!r}")
        number = isinstance(self.fill, (int, float)) and math.isfinite(self.fill)
        if not (self.fill in (None, "mean", "median") or number):
            raise DataError(f"fill: must be mean, median, a finite number or None, not {self.fill!r}")
        if not isinstance(self.facts, Mapping):
            raise DataError(f"facts: must be a mapping of facts by their names, not {_shown(self.facts)}")

    @property
    def samples(self) -> int:
        """Samples of the training part, of which others may be held out."""
        return samples(self.train)

    @property
    def partition(self) -> Partition:
        """How the samples may be dealt out to parts."""
        return Partition(self.samples, self.strata, self.groups, last=self.order == "last", gap=self.gap)

    def transform(self, train: Batch, device: torch.device, augment: Augment | None = None) -> Transform:
        """What brings raw samples into the form that the model is given.

        Args:
            train: the training part, samples first, for statistics.
            device: of the batches.
            augment: random changes of training images, or None.

        Raises:
            ConfigError: these samples cannot be changed so.
            DataError: an input is missing in every sample of the training part.
        """
        x, fill = column(train, 0), None
        if self.fill is not None:
            fill = stand_ins(x, self.fill, self.facts.get("feature_names"))
            x = filled(x, fill)
        change, mean = Transform(), None
        if self.standardise:
            mean, std = statistics(x)
            change = Standardise(mean, std, device)
        if augment is not None:
            change = Augmented(augment.of(train, device, classes=self.facts.get("classes"), mean=mean), change)
        return change if fill is None else Fill(fill, device, change)

    def facts_of(self, train: Batch) -> dict[str, Any]:
        """The facts, with those that the training part tells.

        Args:
            train: the training part, samples first.
        """
        found, y = dict(self.facts), target(train)
        if self.standardise and y is not None and y.is_floating_point():
            mean, std = statistics(y)
            found = {"target_mean": _numbers(mean), "target_std": _numbers(std), **found}
        return found

    def named(self) -> dict[str, Tensor]:
        """Every tensor by its part and name, as ``train_x``: what is hashed."""
        parts = {"train": self.train} if self.test is None else {"train": self.train, "test": self.test}
        return {f"{part}_{name}": tensor for part, batch in parts.items() for name, tensor in columns(batch).items()}

    def _found(self) -> dict[str, Any]:
        """The facts that the columns themselves tell."""
        x, y = column(self.train, 0), target(self.train)
        found: dict[str, Any] = {"input_shape": tuple(x.shape[1:]), "features": math.prod(x.shape[1:])}
        if y is not None:
            found["targets"] = math.prod(y.shape[1:])
            if is_whole(y):
                tested = None if self.test is None else target(self.test)
                found["classes"] = max(int(labels.max()) for labels in (y, tested) if labels is not None) + 1
        return found


def target(batch: Batch) -> Tensor | None:
    """The target: the column y, labels or label, or the second one unless it is a weight; None: there is none."""
    names = list(columns(batch))
    try:
        name = place(names, 1)
    except LookupError:
        return None
    return None if name == "weight" else columns(batch)[name]


def check_part(part: str, batch: Batch, *, missing: bool = False) -> None:
    """Refuse a part that is no columns of samples.

    Args:
        part: what to call it.
        batch: its columns.
        missing: an input may be missing (NaN).

    Raises:
        DataError: names the part, its column, and the first sample that is wrong.
    """
    if not isinstance(batch, (tuple, Mapping)):
        raise DataError(f"{part}: must be a tuple or a mapping of tensors, samples first, not {_shown(batch)}")
    if not len(batch):
        raise DataError(f"{part}: has no columns; give it the input and the target, as (x, y)")
    for name, tensor in columns(batch).items():
        if not isinstance(tensor, Tensor):
            raise DataError(f"{part} {name}: must be a torch.Tensor, not {_shown(tensor)}")
        _check_held(f"{part} {name}", tensor)
    lengths = {name: len(tensor) for name, tensor in columns(batch).items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise DataError(f"{part}: the columns differ in their number of samples: {said}")
    for name, tensor in columns(batch).items():
        if not tensor.numel():
            raise DataError(f"{part} {name}: holds no number: {form(tensor)}")
        check_finite(f"{part} {name}", tensor, missing=missing and tensor is column(batch, 0))


def _check_held(what: str, tensor: Tensor) -> None:
    """Refuse a tensor that does not hold samples as plain numbers in memory."""
    if not tensor.ndim:
        raise DataError(f"{what}: must have samples in its first dimension, and is a single number")
    if tensor.is_meta:
        raise DataError(f"{what}: is on the meta device, where tensors hold no numbers")
    if tensor.layout != torch.strided:
        raise DataError(f"{what}: is sparse, and samples are taken by their numbers; give it as .to_dense()")
    if tensor.requires_grad:
        raise DataError(f"{what}: requires a gradient, and data are not trained; give it as .detach()")


def check_finite(what: str, tensor: Tensor, *, missing: bool = False) -> None:
    """Refuse a value that is not finite.

    Args:
        what: what to call the tensor.
        tensor: samples first.
        missing: NaN is allowed.

    Raises:
        DataError: names the first such sample and its value.
    """
    if is_whole(tensor):
        return
    at_once = max(1, MOST * len(tensor) // tensor.numel())
    for number, some in enumerate(tensor.split(at_once)):
        wrong = some.isinf() if missing else ~some.isfinite()
        if wrong.any():
            place = wrong.nonzero()[0].tolist()
            sample = number * at_once + place[0]
            raise DataError(
                f"{what}: sample {sample} (from 0) holds {some[tuple(place)].item()}; every value must be finite"
            )


def check_alike(train: Batch, test: Batch) -> None:
    """Refuse a test part of other columns, types or shapes than the training part.

    Raises:
        DataError: names the column.
    """
    ours, theirs = columns(train), columns(test)
    if list(ours) != list(theirs):
        raise DataError(f"train has the columns {', '.join(ours)}, and test {', '.join(theirs)}; they must be the same")
    for name, tensor in ours.items():
        other = theirs[name]
        if tensor.dtype != other.dtype or tensor.shape[1:] != other.shape[1:]:
            raise DataError(f"{name}: {form(tensor)} in train and {form(other)} in test; a sample must have one form")


def is_whole(tensor: Tensor) -> bool:
    """Whether a tensor holds whole numbers."""
    return not (tensor.is_floating_point() or tensor.is_complex())


def form(tensor: Any) -> str:
    """Type and shape of a tensor in words."""
    if not isinstance(tensor, Tensor):
        return _shown(tensor)
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _shown(value: Any) -> str:
    return f"a {type(value).__name__}"


def _numbers(tensor: Tensor) -> float | tuple[float, ...]:
    """One number for a target that is one, or a tuple."""
    found = tensor.flatten().tolist()
    return found[0] if len(found) == 1 else tuple(found)
