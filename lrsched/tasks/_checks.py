"""Check what tasks are given: labels, weights, targets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lrsched.data.batch import columns, place
from lrsched.data.data import Data, form, is_whole
from lrsched.errors import ConfigError, DataError

_PIECE = 1 << 16
"""Samples that are looked at together, so that a check needs little memory."""


def check_weights(key: str, weights: Sequence[float], count: int | None) -> None:
    """Require a finite weight of at least 0 for each of ``count`` classes or targets, and one above 0.

    Raises:
        ConfigError: names the key.
    """
    if any(isinstance(w, bool) or not math.isfinite(w) or w < 0 for w in weights) or not any(weights):
        raise ConfigError(key, list(weights), "must be finite numbers of at least 0, not all 0")
    if count is not None and len(weights) != count:
        raise ConfigError(key, list(weights), f"there are {count} of them in the data, and {len(weights)} weights")


def check_fraction(key: str, value: float) -> None:
    """Require a number of at least 0 and below 1.

    Raises:
        ConfigError: names the key.
    """
    if not 0 <= value < 1:
        raise ConfigError(key, value, "is a fraction: at least 0 and below 1")


def check_smoothed(key: str, weights: Sequence[float] | None, smoothing: float) -> None:
    """Refuse a weight of 0 beside label smoothing.

    Smoothing gives a sample of such a class a loss, while the mean gives it no weight: a micro-batch of them alone
    would be lost.

    Raises:
        ConfigError: names the key.
    """
    if smoothing and weights is not None and 0 in weights:
        rule = "a weight of 0 does not go with label_smoothing, which gives a loss to samples of every class"
        raise ConfigError(key, list(weights), rule, "give a small weight such as 0.001, or label_smoothing=0")


def parts(data: Data) -> list[tuple[str, dict[str, Tensor]]]:
    """The columns of each part that the data set has, by the part's name."""
    found = [("train", columns(data.train))]
    return found if data.test is None else [*found, ("test", columns(data.test))]


def targets(data: Data) -> list[tuple[str, Tensor]]:
    """The targets of each part that the data set has, by what to call them.

    Raises:
        DataError: there is no target.
    """
    found: list[tuple[str, Tensor]] = []
    for part, named in parts(data):
        try:
            name = place(list(named), 1)
        except LookupError:
            raise DataError(f"{part}: has no target: samples are (input, target)") from None
        found.append((f"{part} {name}", named[name]))
    return found


def check_sample_weights(data: Data) -> None:
    """Require a weight of at least 0 for each sample, [N], not all 0, if there is a column of them.

    Raises:
        DataError: names the sample and its weight.
    """
    for part, named in parts(data):
        weight = named.get("weight")
        if weight is None:
            continue
        if weight.ndim != 1 or weight.is_complex():
            raise DataError(f"{part} weight: must be one number for each sample, [{len(weight)}], not {form(weight)}")
        if (place := _first(weight < 0)) is not None:
            raise DataError(
                f"{part} weight: sample {place[0]} (from 0) weighs {weight[place].item()}; it must be at least 0"
            )
        if not weight.any():
            raise DataError(f"{part} weight: all samples weigh 0; nothing counts")


def check_labels(data: Data, *, dimensions: int | None, classes: int | None = None, ignore: int | None = None) -> None:
    """Require whole labels in [0, classes), of at least two classes; bool and every integer type will do.

    Args:
        data: the samples.
        dimensions: of the target tensor, or None: any.
        classes: how many there are; None: as the data say.
        ignore: a label that counts nowhere.

    Raises:
        DataError: names the sample and its label.
    """
    classes = data.facts.get("classes") if classes is None else classes
    for number, (what, labels) in enumerate(targets(data)):
        if not is_whole(labels) or (dimensions is not None and labels.ndim != dimensions):
            shape = f", one for each sample: [{len(labels)}]" if dimensions == 1 else f" {_axes(dimensions)}"
            hint = ""
            if labels.is_floating_point() and bool((labels == labels.round()).all()):
                hint = "; if they are labels, give them as int64 (dataset=table: dataset.kind=class)"
            raise DataError(f"{what}: labels must be whole numbers{shape.rstrip()}, not {form(labels)}{hint}")
        low, high = check_range(what, labels, classes, ignore)
        if low is None:
            raise DataError(f"{what}: every label is the ignored one, {ignore}; nothing counts")
        if not number and low == high:
            raise DataError(f"{what}: all samples are of one class; there is nothing to tell apart")


def check_shares(data: Data) -> None:
    """Require shares of classes, [N, classes], that are at least 0 and add up to 1.

    Raises:
        DataError: names the sample.
    """
    for what, y in targets(data):
        check_values(what, y, y >= 0, "the share of a class is at least 0")
        total = y.double().sum(1)
        if (place := _first((total - 1).abs() > 1e-3)) is not None:
            rule = f"has shares of classes that add up to {total[place].item():g}, and must to 1"
            raise DataError(f"{what}: sample {place[0]} (from 0) {rule}; labels are whole numbers [{len(y)}]")


def check_range(
    what: str, labels: Tensor, classes: int | None, ignore: int | None = None, word: str = "label"
) -> tuple[int | None, int | None]:
    """Require whole numbers in [0, classes); the smallest and the largest that is not ignored.

    Raises:
        DataError: names the sample and its label.
    """
    lows, highs = [], []
    for start in range(0, len(labels), _PIECE):
        piece = labels[start : start + _PIECE].long()
        wrong = piece < 0
        if classes is not None:
            wrong |= piece >= classes
        if ignore is not None:
            wrong &= piece != ignore
            if (place := _first(wrong)) is None:
                piece = piece[piece != ignore]
        else:
            place = _first(wrong)
        if place is not None:
            rule = f"{word}s are 0 to {classes - 1}" if classes is not None else f"{word}s are counted from 0"
            raise DataError(f"{what}: sample {start + place[0]} (from 0) has the {word} {int(piece[place])}; {rule}")
        if piece.numel():
            lows.append(int(piece.min()))
            highs.append(int(piece.max()))
    return min(lows, default=None), max(highs, default=None)


def check_constant(what: str, values: Tensor) -> None:
    """Refuse targets that never change: [N, targets] each on its own, those of more dimensions as a whole.

    Raises:
        DataError: names the target and its value.
    """
    rows = values.flatten(1) if values.ndim == 2 else values.reshape(-1, 1)
    same = (rows == rows[:1]).all(0)
    if (place := _first(same)) is not None:
        name = f"target {place[0]} (from 0)" if rows.shape[1] > 1 else "the target"
        raise DataError(f"{what}: {name} is {rows[0, place[0]].item()} in every sample; there is nothing to predict")


def check_values(what: str, values: Tensor, right: Tensor, rule: str) -> None:
    """Require that every value is right.

    Args:
        what: to call them.
        values: the targets.
        right: bool, of their shape.
        rule: what is wanted, in words.

    Raises:
        DataError: names the first wrong sample and its value.
    """
    if (place := _first(~right)) is not None:
        raise DataError(f"{what}: sample {place[0]} (from 0) has the target {values[place].item()}; {rule}")


def _first(wrong: Tensor) -> tuple[int, ...] | None:
    """Where the first true value lies."""
    return tuple(wrong.nonzero()[0].tolist()) if torch.any(wrong) else None


def _axes(dimensions: int | None) -> str:
    return {None: "", 2: "[samples, tokens]", 3: "[samples, H, W]"}.get(dimensions, f"in {dimensions} dimensions")
