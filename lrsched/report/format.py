"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lrsched.units import PERCENT, after, digits

FEWEST = 5
"""Fewest pairs for which to show an interval, or a share in percent: with fewer both look surer than they are."""


USUAL = "95 %"
"""The level of intervals that stands in the head of their column; another one stands in the cell."""


def value(unit: str, number: float | None) -> str:
    """A value of a metric as a cell of a table, whose title tells the unit unless it is %.

    >>> value("%", 0.97456), value("nats", 0.31234), value("", 0.00012345)
    ('97.46%', '0.3123', '0.000123')
    """
    if number is None or math.isnan(number):
        return "–"
    if math.isinf(number):
        return "diverged"
    return digits(unit, number)[0] + (PERCENT if unit == PERCENT else "")


def around(unit: str, middle: float, spread: float) -> str:
    """A mean and a standard deviation as a cell of a table.

    >>> around("%", 0.9773, 0.0048), around("nats", 0.0977, 8.59e-05)
    ('97.73 ± 0.48%', '0.0977 ± 0.0001')
    """
    return " ± ".join(digits(unit, middle, spread)) + (PERCENT if unit == PERCENT else "")


def titled(title: str, unit: str) -> str:
    """The title of a column, with a unit that its cells do not tell below it.

    >>> titled("val/rmse ± sd", "points"), titled("val/accuracy ± sd", "%")
    ('val/rmse ± sd\\n(points)', 'val/accuracy ± sd')
    """
    return title if unit in ("", PERCENT) else f"{title}\n({unit})"


def difference(unit: str, middle: float, ends: Iterable[float] | None, level: float | None = None) -> str:
    """A difference and its interval, where there is one, as a cell of a table; of fractions, in percentage points.

    >>> difference("nats", 2.47e-06, (1.54e-06, 3.1e-06), 0.953), difference("nats", 0.0031, None)
    ('2.47e-06 (1.54e-06 to 3.10e-06)', '0.0031')
    >>> difference("", 0.25, (0.125, 0.5), 0.96875)
    '0.2500 (0.1250 to 0.5000, 97 %)'
    """
    first, *low_high = digits(unit, middle, *(ends or ()))
    other = f", {percent(level)}" if level and percent(level) != USUAL else ""
    return f"{first} ({' to '.join(low_high)}{other})" if low_high else first


def percent(level: float) -> str:
    """The level of an interval.

    >>> percent(0.96875), percent(0.9531)
    ('97 %', '95 %')
    """
    return f"{100 * level:.0f} %"


def distance(unit: str, middle: float, ends: Iterable[float]) -> str:
    """How much better one is than another, in words, with the interval.

    >>> distance("", 0.06, (0.0048, 0.1175)), distance("%", 0.00003, (0.00001, 0.0001))
    ('0.0600, 0.0048 to 0.1175', 'less than 0.01 points, 0.00 to 0.01 points')
    """
    first, low, high = digits(unit, middle, *ends)
    mantissa, *exponent = first.partition("e")
    if middle and not float(mantissa):
        first = "".join(["less than ", mantissa.lstrip("-")[:-1], "1", *exponent])
    return f"{first}{_points(unit)}, {low} to {high}{_points(unit)}"


def amount(unit: str, number: float) -> str:
    """A difference of a metric; of fractions, in percentage points.

    >>> amount("%", 0.0123), amount("nats", -0.25)
    ('1.23 points', '-0.2500 nats')
    """
    return digits(unit, number)[0] + _points(unit)


def interval(unit: str, ends: Iterable[float]) -> str:
    """The two ends of an interval of differences.

    >>> interval("", (-0.000509, 0.0532)), interval("%", (0.01, 0.02))
    ('-0.0005 to 0.0532', '1.00 to 2.00 points')
    """
    return " to ".join(digits(unit, *ends)) + _points(unit)


def _points(unit: str) -> str:
    """What stands after a difference."""
    return " points" if unit == PERCENT else after(unit, "")


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


def share(probability: float, pairs: int) -> str:
    """How often one beats another: counted for few pairs, else in percent; a tie counts half.

    >>> share(2 / 3, 3), share(0.25, 2), share(1, 6)
    ('2/3', '0.5/2', '100%')
    """
    return f"{probability:.0%}" if pairs >= FEWEST else f"{probability * pairs:g}/{pairs}"


def brief(reason: str, longest: int = 100) -> str:
    """The first part of a reason, in one line and without control characters.

    >>> brief("step 3: the loss is nan; the batch holds 64 samples"), brief("one two three", 9)
    ('step 3: the loss is nan', 'one two …')
    """
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in reason).split())
    first = words.partition(";")[0]
    if len(first) <= longest:
        return first
    return f"{first[: longest - 1].rpartition(' ')[0] or first[: longest - 2]} …"


def of_seeds(values: Iterable[Any]) -> str:
    """Seeds, with the word before them.

    >>> of_seeds([0]), of_seeds([0, 1, 2])
    ('seed 0', 'seeds 0–2')
    """
    known = list(values)
    return f"seed{'' if len(known) == 1 else 's'} {seeds(known)}"


def seeds(values: Iterable[Any]) -> str:
    """Seeds, consecutive ones as a range.

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
