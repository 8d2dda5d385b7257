"""A value of a metric as people read it: in its unit, with as many digits as tell values apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

PERCENT = "%"
"""The unit of a fraction that is read in percent."""

FIRST_BETTER: Mapping[str, str] = {"loss": "min", "accuracy": "max"}
FIRST_UNITS: Mapping[str, str] = {"accuracy": PERCENT}
"""What a result of 0.1.0 leaves out: every run of it was a classification."""


OF_WEIGHTS = ("average/", "ensemble/", "used/")
"""What may stand before a metric: averaged weights, snapshots together, and in a report the weights that a run uses."""


def metric_of(name: str) -> str:
    """The task's metric in the name of a row.

    >>> metric_of("val/loss"), metric_of("val/average/top/5"), metric_of("test/ensemble/loss"), metric_of("loss")
    ('loss', 'top/5', 'loss', 'loss')
    """
    rest = name.partition("/")[2]
    for of in OF_WEIGHTS:
        rest = rest.removeprefix(of)
    return rest or name


def unit_of(name: str, units: Mapping[str, str]) -> str:
    """The unit of a row's name; empty where it has none.

    >>> unit_of("val/accuracy", {"accuracy": "%"}), unit_of("lr/default", {})
    ('%', '')
    """
    return units.get(metric_of(name), "")


def digits(unit: str, *numbers: float, more: int = 0) -> list[str]:
    """Numbers of one metric in one form, set by the largest of them.

    Fractions are in percent. Others have four decimals, fewer where four digits of the largest or its whole part need
    no more; three digits of it if it is below 0.001; and one exponent for all if it is below 0.0001 or has seven
    digits before the point. ``more`` adds decimals to each.

    >>> digits("", 53.9034512, 2.5), digits("", 18533.0524, 618.59)
    (['53.90', '2.50'], ['18533', '619'])
    >>> digits("%", 0.97456, 0.01), digits("", 0.0977, 8.59e-05), digits("nats", 0.000509)
    (['97.46', '1.00'], ['0.0977', '0.0001'], ['0.000509'])
    >>> digits("", 2.47e-06, 4e-08)
    ['2.47e-06', '0.04e-06']
    """
    if unit == PERCENT:
        return [f"{100 * number:.{2 + more}f}" for number in numbers]
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    exponent = math.floor(math.log10(largest)) if largest else 0
    if exponent < -4 or exponent > 5:
        return [f"{number / 10.0**exponent:.{2 + more}f}e{exponent:+03d}" for number in numbers]
    decimals = 2 - exponent if 0 < largest < 0.001 else 4 if exponent < 1 else max(0, 3 - exponent)
    return [f"{number:.{decimals + more}f}" for number in numbers]


def apart(form: Callable[[int], list[str]], *numbers: float) -> list[str]:
    """Numbers in one form, with the fewest decimals that tell the first from all others that it is not equal to.

    Args:
        form: gives their texts with so many more decimals than usual.
        numbers: of one metric.

    >>> near = (0.50001, 0.50002, 0.7)
    >>> apart(lambda more: digits("", *near, more=more), *near)
    ['0.50001', '0.50002', '0.70000']
    """
    first, *others = numbers
    shown: list[str] = []
    for more in range(18):  # as many as a float has
        shown = form(more)
        if all(text != shown[0] for text, number in zip(shown[1:], others, strict=True) if number != first):
            break
    return shown


def shown(unit: str, number: float) -> str:
    """A value and its unit.

    >>> shown("%", 0.97456), shown("nats", 0.31234), shown("", 0.00012345)
    ('97.46%', '0.3123 nats', '0.000123')
    """
    return after(unit, digits(unit, number)[0])


def exactly(unit: str, number: float) -> str:
    """A value to six digits, and its unit; percentages as everywhere.

    >>> exactly("%", 0.97456), exactly("nats", 0.0123456789)
    ('97.46%', '0.0123457 nats')
    """
    return shown(unit, number) if unit == PERCENT else after(unit, f"{number:.6g}")


def after(unit: str, text: str) -> str:
    """A number, as text, with its unit after it.

    >>> after("%", "1.00"), after("dB", "23.1000"), after("", "2.0000")
    ('1.00%', '23.1000 dB', '2.0000')
    """
    return f"{text}%" if unit == PERCENT else f"{text} {unit}".rstrip()


def count(number: float, thing: str) -> str:
    """A number of things.

    >>> count(1, "more seed"), count(6, "seed"), count(2, "batch"), count(2 / 3, "epoch"), count(1.0, "epoch")
    ('1 more seed', '6 seeds', '2 batches', '0.6667 epochs', '1 epoch')
    """
    shown = str(number) if isinstance(number, int) else f"{number:.4g}"
    return f"{shown} {thing}{'' if shown == '1' else 'es' if thing.endswith(('tch', 's', 'x')) else 's'}"
