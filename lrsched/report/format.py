"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

FEWEST = 5
"""Fewest pairs for which to show an interval, or a share in percent: with fewer both look surer than they are."""


USUAL = "95 %"
"""The level of intervals that stands in the head of their column; another one stands in the cell."""


def digits(metric: str, *numbers: float) -> list[str]:
    """Numbers of one metric in one form, set by the largest of them.

    Accuracies are in percent. Other metrics have four decimals, three digits of the largest if it is below 0.001, and
    one exponent for all if it is below 0.0001 or has seven digits before the point.

    >>> digits("val/accuracy", 0.97456, 0.01), digits("val/loss", 0.0977, 8.59e-05), digits("val/loss", 0.000509)
    (['97.46', '1.00'], ['0.0977', '0.0001'], ['0.000509'])
    >>> digits("val/loss", 2.47e-06, 4e-08)
    ['2.47e-06', '0.04e-06']
    """
    if metric.endswith("accuracy"):
        return [f"{100 * number:.2f}" for number in numbers]
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    exponent = math.floor(math.log10(largest)) if largest else 0
    if exponent < -4 or exponent > 5:
        return [f"{number / 10.0**exponent:.2f}e{exponent:+03d}" for number in numbers]
    return [f"{number:.{4 if largest >= 0.001 or not largest else 2 - exponent}f}" for number in numbers]


def value(metric: str, number: float | None) -> str:
    """A value of a metric.

    >>> value("val/accuracy", 0.97456), value("val/loss", 0.31234), value("val/loss", 0.00012345)
    ('97.46%', '0.3123', '0.000123')
    """
    if number is None or math.isnan(number):
        return "–"
    if math.isinf(number):
        return "diverged"
    return digits(metric, number)[0] + ("%" if metric.endswith("accuracy") else "")


def around(metric: str, middle: float, spread: float) -> str:
    """A mean and a standard deviation.

    >>> around("val/accuracy", 0.9773, 0.0048), around("val/loss", 0.0977, 8.59e-05)
    ('97.73 ± 0.48%', '0.0977 ± 0.0001')
    """
    return " ± ".join(digits(metric, middle, spread)) + ("%" if metric.endswith("accuracy") else "")


def difference(metric: str, middle: float, ends: Iterable[float] | None, level: float | None = None) -> str:
    """A difference and its interval as a cell of a table; of accuracies, in percentage points.

    >>> difference("val/loss", 2.47e-06, (1.54e-06, 3.1e-06), 0.953), difference("val/loss", 0.0031, None)
    ('2.47e-06 (1.54e-06 to 3.10e-06)', '0.0031 (–)')
    >>> difference("val/loss", 0.25, (0.125, 0.5), 0.96875)
    '0.2500 (0.1250 to 0.5000, 97 %)'
    """
    first, *low_high = digits(metric, middle, *(ends or ()))
    other = f", {percent(level)}" if level and percent(level) != USUAL else ""
    return f"{first} ({' to '.join(low_high) or '–'}{other})"


def percent(level: float) -> str:
    """The level of an interval.

    >>> percent(0.96875), percent(0.9531)
    ('97 %', '95 %')
    """
    return f"{100 * level:.0f} %"


def distance(metric: str, middle: float, ends: Iterable[float]) -> str:
    """How much better one is than another, in words, with the interval.

    >>> distance("val/loss", 0.06, (0.0048, 0.1175)), distance("val/accuracy", 0.00003, (0.00001, 0.0001))
    ('0.0600, 0.0048 to 0.1175', 'less than 0.01 points, 0.00 to 0.01 points')
    """
    first, low, high = digits(metric, middle, *ends)
    points = " points" if metric.endswith("accuracy") else ""
    mantissa, *exponent = first.partition("e")
    if middle and not float(mantissa):
        first = "".join(["less than ", mantissa.lstrip("-")[:-1], "1", *exponent])
    return f"{first}{points}, {low} to {high}{points}"


def amount(metric: str, number: float) -> str:
    """A difference of a metric; of accuracies, in percentage points.

    >>> amount("val/accuracy", 0.0123), amount("val/loss", -0.25)
    ('1.23 points', '-0.2500')
    """
    return digits(metric, number)[0] + (" points" if metric.endswith("accuracy") else "")


def interval(metric: str, ends: Iterable[float]) -> str:
    """The two ends of an interval of differences.

    >>> interval("val/loss", (-0.000509, 0.0532)), interval("val/accuracy", (0.01, 0.02))
    ('-0.0005 to 0.0532', '1.00 to 2.00 points')
    """
    return " to ".join(digits(metric, *ends)) + (" points" if metric.endswith("accuracy") else "")


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


def count(number: int, thing: str) -> str:
    """A number of things.

    >>> count(1, "more seed"), count(6, "seed")
    ('1 more seed', '6 seeds')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


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
