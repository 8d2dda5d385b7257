"""Check what tasks are given: labels, weights, targets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from lrsched.data.batch import columns
from lrsched.data.data import Data, form, is_whole
from lrsched.errors import ConfigError, DataError


def check_weights(key: str, weights: Sequence[float], count: int | None) -> None:
    """Require a finite weight of at least 0 for each of ``count`` classes or targets, and one above 0.

    Raises:
        ConfigError: names the key.
    """
    if any(isinstance(w, bool) or not math.isfinite(w) or w < 0 for w in weights) or not any(weights):
        raise ConfigError(key, list(weights), "must be finite numbers of at least 0, not all 0")
    if count is not None and len(weights) != count:
        raise ConfigError(key, list(weights), f"there are {count} of them in the data, and {len(weights)} weights")


def targets(data: Data) -> list[tuple[str, Tensor]]:
    """The targets of each part that the data set has, by what to call them.

    Raises:
        DataError: there is no target.
    """
    parts = [("train", data.train)] if data.test is None else [("train", data.train), ("test", data.test)]
    found: list[tuple[str, Tensor]] = []
    for part, batch in parts:
        named = columns(batch)
        if "y" not in named and len(named) < 2:
            raise DataError(f"{part}: has no target: samples are (input, target)")
        name = "y" if "y" in named else list(named)[1]
        found.append((f"{part} {name}", named[name]))
    return found


def check_labels(data: Data, *, dimensions: int | None, ignore: int | None = None) -> None:
    """Require whole labels in [0, classes), of at least two classes.

    Args:
        data: the samples.
        dimensions: of the target tensor, or None: any.
        ignore: a label that counts nowhere.

    Raises:
        DataError: names the sample and its label.
    """
    classes = data.facts.get("classes")
    for what, labels in targets(data):
        if not is_whole(labels) or (dimensions is not None and labels.ndim != dimensions):
            shape = "" if dimensions is None else f", one for each sample: [{len(labels)}]"
            hint = ""
            if labels.is_floating_point() and bool((labels == labels.round()).all()):
                hint = "; if they are labels, give them as int64 (dataset=table: dataset.kind=class)"
            raise DataError(f"{what}: labels must be whole numbers{shape}, not {form(labels)}{hint}")
        wrong = (labels < 0) | (labels >= classes if classes is not None else False)
        if ignore is not None:
            wrong &= labels != ignore
        if wrong.any():
            place = wrong.nonzero()[0].tolist()
            rule = f"labels are 0 to {classes - 1}" if classes is not None else "labels are counted from 0"
            raise DataError(f"{what}: sample {place[0]} (from 0) has the label {int(labels[tuple(place)])}; {rule}")
    what, labels = targets(data)[0]
    kept = labels if ignore is None else labels[labels != ignore]
    if kept.unique().numel() < 2:
        raise DataError(f"{what}: all samples are of one class; there is nothing to tell apart")
