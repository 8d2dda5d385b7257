"""Numbers of a file that anybody may have written: what can be computed with, and nothing else."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any, cast

LARGEST = 2**53
"""The largest count: up to it a float is exact."""


def whole(value: Any) -> int | None:
    """A count, or None for what is none.

    >>> whole(12), whole(-1), whole(True), whole(1.5), whole("12"), whole(10**400), whole(float("inf"))
    (12, None, None, None, None, None, None)
    """
    return value if type(value) is int and 0 <= value <= LARGEST else None


def number(value: Any) -> float | None:
    """A finite number as a float, or None for what is none.

    >>> number(2), number(0.5), number(10**400), number(float("nan")), number(True), number("2"), number(None)
    (2.0, 0.5, None, None, None, None, None)
    """
    return float(value) if type(value) in (int, float) and abs(value) <= sys.float_info.max else None


def finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, which JSON does not have."""
    if value is None or isinstance(value, (str, int)):  # most are, and to ask for a Mapping takes long
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in cast(Iterable[Any], value)]
    return value
