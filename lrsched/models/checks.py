"""Check models' parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from lrsched.errors import ConfigError, nearest

ImageShape: TypeAlias = tuple[int, int, int]
"""Channels, height and width of one image."""


def image(input_shape: Sequence[int], *, least: int = 1) -> ImageShape:
    """Check an image shape; return channels, height and width.

    Args:
        input_shape: (C, H, W) of one image.
        least: smallest height and width that the network can take.

    >>> image([3, 32, 32])
    (3, 32, 32)
    """
    if len(input_shape) != 3 or not all(map(_is_count, input_shape)):
        raise ConfigError("input_shape", tuple(input_shape), "must be channels, height and width, each at least 1")
    channels, height, width = input_shape
    if min(height, width) < least:
        raise ConfigError(
            "input_shape",
            (channels, height, width),
            f"is too small: this network needs images of at least {least}x{least} pixels",
            "take model=cnn or model=mlp",
        )
    return channels, height, width


def features(input_shape: Sequence[int]) -> int:
    """Numbers in one input of any shape.

    >>> features((3, 8, 8)), features(())
    (192, 1)
    """
    if not all(map(_is_count, input_shape)):
        raise ConfigError("input_shape", tuple(input_shape), "must hold whole numbers of at least 1")
    return math.prod(input_shape)


def outputs(classes: int | None, outputs: int | None) -> int:
    """How many numbers a model gives for a sample: what the task asks for, or a logit for each class.

    >>> outputs(10, None), outputs(2, 1)
    (10, 1)
    """
    if outputs is not None:
        return count("outputs", outputs)
    if classes is None:
        raise ConfigError("outputs", None, "says how many numbers the model gives, and neither task nor data tell")
    if not _is_count(classes) or classes < 2:
        raise ConfigError("classes", classes, "must be a whole number of at least 2")
    return classes


def flat(x: Tensor) -> Tensor:
    """Samples [B, …] as rows [B, features]."""
    return x.flatten(1) if x.ndim > 1 else x.unsqueeze(1)


def count(key: str, value: int) -> int:
    """Require a whole number of at least 1."""
    if not _is_count(value):
        raise ConfigError(key, value, "must be a whole number of at least 1")
    return value


def counts(key: str, values: Iterable[int]) -> tuple[int, ...]:
    """Require a list of whole numbers of at least 1; it may be empty.

    >>> counts("hidden", [256, 128])
    (256, 128)
    """
    if isinstance(values, (str, int, float)):
        raise ConfigError(key, values, "is a list of whole numbers", f"write {key}=[{values}]")
    found = tuple(values)
    if not all(map(_is_count, found)):
        raise ConfigError(key, list(found), "must hold whole numbers of at least 1")
    return found


def probability(key: str, value: float) -> float:
    """Require a dropout probability in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ConfigError(key, value, "must be at least 0 and below 1")
    return float(value)


def one_of(key: str, value: str, known: Iterable[str]) -> str:
    """Require one of the known words."""
    words = list(known)
    if value not in words:
        raise ConfigError(key, value, f"is not one of {', '.join(words)}", nearest(str(value), words))
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
