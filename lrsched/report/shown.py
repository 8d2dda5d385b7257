"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def value(metric: str, number: float | None) -> str:
    """A metric: accuracies in percent, the rest with four digits behind the point, or three in all if it is smaller.

    >>> value("val/accuracy", 0.97456), value("val/loss", 0.31234), value("val/loss", 0.00012345)
    ('97.46%', '0.3123', '0.000123')
    """
    if number is None or math.isnan(number):
        return "–"
    if math.isinf(number):
        return "diverged"
    if metric.endswith("accuracy"):
        return f"{number:.2%}"
    return f"{number:.4f}" if abs(number) >= 0.001 or number == 0 else f"{number:.3g}"


def amount(metric: str, number: float | None) -> str:
    """A difference or a spread of a metric; of accuracies, in points of a percent.

    >>> amount("val/accuracy", 0.0123), amount("val/loss", -0.25)
    ('1.23 points', '-0.2500')
    """
    if metric.endswith("accuracy") and number is not None and math.isfinite(number):
        return f"{100 * number:.2f} points"
    return value(metric, number)


def interval(metric: str, ends: Iterable[float]) -> str:
    """Two ends of a difference, with as many digits as the larger of them needs.

    >>> interval("val/loss", (-0.000509, 0.0532)), interval("val/accuracy", (0.01, 0.02))
    ('-0.0005 to 0.0532', '1.00 to 2.00 points')
    """
    low, high = ends
    if metric.endswith("accuracy"):
        return f"{100 * low:.2f} to {100 * high:.2f} points"
    largest = max(abs(low), abs(high))
    digits = 4 if largest >= 0.001 or largest == 0 else 2 - math.floor(math.log10(largest))
    return f"{low:.{digits}f} to {high:.{digits}f}"


def p_value(number: float | None) -> str:
    """A probability without its leading zero.

    >>> p_value(0.03125), p_value(0.25), p_value(1.0), p_value(0.00002)
    ('.031', '.25', '1', '<.001')
    """
    if number is None:
        return "–"
    if number < 0.001:
        return "<.001"
    text = f"{number:.2g}"
    return text.removeprefix("0")


def count(number: int, thing: str) -> str:
    """
    >>> count(1, "more seed"), count(6, "seed")
    ('1 more seed', '6 seeds')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def seeds(values: Iterable[Any]) -> str:
    """Seeds, in ranges where they follow each other.

    >>> seeds([0, 1, 2, 5]), seeds(["a", "b"])
    ('0–2, 5', 'a, b')
    """
    known = list(values)
    if not all(isinstance(item, int) for item in known):
        return ", ".join(map(str, known))
    runs: list[list[int]] = []
    for item in sorted(known):
        if runs and item == runs[-1][1] + 1:
            runs[-1][1] = item
        else:
            runs.append([item, item])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)
