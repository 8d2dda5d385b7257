"""Define Data: the samples of a data set, in memory and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from lrsched.data.augment import Augment
from lrsched.data.batch import Batch, column, columns, samples
from lrsched.data.partition import Partition
from lrsched.data.transform import Standardise, Transform
from lrsched.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Data:
    """Samples of any kind, checked: tensors of any type and shape, samples first.

    Args:
        train: columns of the training samples: a tuple (x, y) or (x, y, weight), or a mapping of tensors.
        test: the source's own test part in the same form, or None: one is held out.
        facts: what a model or a task may ask for by the names of its parameters. Found by themselves, if they are
            not given: ``input_shape``, ``features`` (numbers in an input), ``classes`` (of whole-numbered targets:
            the largest + 1), ``targets`` (numbers in a target).
        strata: int64 [N] or None: classes of the training samples that each part shall hold alike.
        groups: int64 [N] or None: training samples of one number go to one part together.
        order: ``last``: the held-out parts are the last samples, in order, as for a time series.
        standardise: bring each input number to mean 0 and standard deviation 1 over the training part, and tell the
            task ``target_mean`` and ``target_std``.

    Raises:
        DataError: no sample, columns of different lengths, parts of different columns, a number that is not finite.

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
    standardise: bool = False

    def __post_init__(self) -> None:
        check_part("train", self.train)
        if self.test is not None:
            check_part("test", self.test)
            check_alike(self.train, self.test)
        for name in ("strata", "groups"):
            numbers = getattr(self, name)
            if numbers is not None and (numbers.ndim != 1 or len(numbers) != self.samples or not is_whole(numbers)):
                raise DataError(f"{name}: must be whole numbers [{self.samples}], one a sample, not {form(numbers)}")
        object.__setattr__(self, "facts", {**self._found(), **self.facts})

    @property
    def samples(self) -> int:
        """Samples of the training part, of which others may be held out."""
        return samples(self.train)

    @property
    def partition(self) -> Partition:
        """How the samples may be dealt out to parts."""
        return Partition(self.samples, self.strata, self.groups, last=self.order == "last")

    def transform(self, train: Batch, device: torch.device, augment: Augment | None = None) -> Transform:
        """What brings raw samples into the form that the model is given.

        Args:
            train: the training part, for statistics.
            device: of the batches.
            augment: random changes of training images, or None.

        Raises:
            ConfigError: these samples cannot be changed so.
        """
        if augment is not None:
            raise ConfigError("augment", None, "shifts and mirrors images, and this data set has none", "leave it out")
        if not self.standardise:
            return Transform()
        mean, std = statistics(column(train, 0))
        return Standardise(mean, std, device)

    def facts_of(self, train: Batch) -> dict[str, Any]:
        """The facts, with those that the training part tells."""
        found = dict(self.facts)
        targets = list(columns(train).values())[1:2]
        if self.standardise and targets and targets[0].is_floating_point():
            mean, std = statistics(targets[0])
            found = {"target_mean": _numbers(mean), "target_std": _numbers(std), **found}
        return found

    def named(self) -> dict[str, Tensor]:
        """Every tensor by its part and name, as ``train_x``: what is hashed."""
        parts = {"train": self.train} if self.test is None else {"train": self.train, "test": self.test}
        return {f"{part}_{name}": tensor for part, batch in parts.items() for name, tensor in columns(batch).items()}

    def _found(self) -> dict[str, Any]:
        """The facts that the columns themselves tell."""
        x, *rest = columns(self.train).values()
        found: dict[str, Any] = {"input_shape": tuple(x.shape[1:]), "features": math.prod(x.shape[1:])}
        if rest:
            y = rest[0]
            found["targets"] = math.prod(y.shape[1:])
            if is_whole(y):
                most = [int(tensor.max()) for name, tensor in self.named().items() if name.endswith(("_y", "_1"))]
                found["classes"] = max([int(y.max()), *most]) + 1
        return found


def statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the samples, in float64, [1, …] each; the std of a constant is 1.

    The deviation is that of the population: √(Σ (v − mean)² / n).
    """
    values = values.double()
    std, mean = torch.std_mean(values, dim=0, correction=0, keepdim=True)
    constant = std <= 1e-12 * mean.abs().clamp(min=torch.finfo(torch.float64).tiny)
    return mean, torch.where(constant, torch.ones_like(std), std)


def check_part(part: str, batch: Batch) -> None:
    """Refuse a part that is no columns of samples.

    Raises:
        DataError: names the part, its column, and the first sample that is wrong.
    """
    if not isinstance(batch, (tuple, Mapping)) or not len(batch):
        raise DataError(f"{part}: must be a tuple or a mapping of tensors, samples first, not {_shown(batch)}")
    for name, tensor in columns(batch).items():
        if not isinstance(tensor, Tensor):
            raise DataError(f"{part} {name}: must be a torch.Tensor, not {_shown(tensor)}")
        if not tensor.ndim:
            raise DataError(f"{part} {name}: must have samples in its first dimension, and is a single number")
    lengths = {name: len(tensor) for name, tensor in columns(batch).items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise DataError(f"{part}: the columns differ in their number of samples: {said}")
    for name, tensor in columns(batch).items():
        if not tensor.numel():
            raise DataError(f"{part} {name}: holds no number: {form(tensor)}")
        check_finite(f"{part} {name}", tensor)


def check_finite(what: str, tensor: Tensor) -> None:
    """Refuse a value that is not finite.

    Raises:
        DataError: names the first such sample and its value.
    """
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return
    for start in range(0, len(tensor), 1 << 16):
        wrong = (~torch.isfinite(tensor[start : start + (1 << 16)])).flatten(1 if tensor.ndim > 1 else 0)
        bad = wrong.any(1) if wrong.ndim > 1 else wrong
        if bad.any():
            sample = start + int(bad.nonzero()[0])
            values = tensor[sample].flatten()
            value = values[~torch.isfinite(values)][0].item()
            raise DataError(f"{what}: sample {sample} (from 0) holds {value}; every value must be finite")


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
