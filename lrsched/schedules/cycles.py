"""Cycle lengths in whole steps.

Cycles follow one another at the exact running sum of their lengths, rounded half up: the sum is
rounded and not each length, so that no error builds up, and 30 % + 30 % + 40 % is the whole run.
No logarithm and no floating-point time is asked which cycle a step lies in: that misses restarts
(PyTorch's ``CosineAnnealingWarmRestarts.step(1110)`` with T_0 = T_mult = 10 is one).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from lrsched.errors import ConfigError
from lrsched.horizon import Duration, Horizon, half_up


def whole_lengths(exact: Iterable[Fraction]) -> Iterator[int]:
    """Differences of the rounded running sum.

    >>> list(whole_lengths([Fraction(5, 2)] * 4))
    [3, 2, 3, 2]
    """
    total = Fraction(0)
    for length in exact:
        before, total = total, total + length
        yield half_up(total) - half_up(before)


def growing(first: int, mult: float, steps: int) -> list[int]:
    """Lengths first·mult^c of cycles c = 0, 1, … until they cover ``steps`` steps; the last may reach beyond.

    ``mult`` is taken as it is written: 1.1 is 11/10.

    Raises:
        ConfigError: cycles shrink below one step before they cover the run.

    >>> growing(10, 1.5, 48), growing(8, 0.5, 14)
    ([10, 15, 23], [8, 4, 2])
    """
    ratio = Fraction(str(mult))

    def exact() -> Iterator[Fraction]:
        length = Fraction(first)
        while length >= 1:
            yield length
            length *= ratio

    lengths: list[int] = []
    covered = 0
    for length in whole_lengths(exact()):
        lengths.append(length)
        covered += length
        if covered >= steps:
            return lengths
    rule = f"cycles that start at {first} steps shrink below one step after {covered} of {steps} steps"
    raise ConfigError("mult", mult, rule, "raise mult or first")


def listed(lengths: Iterable[Duration], steps: int, horizon: Horizon, key: str = "lengths") -> list[int]:
    """Lengths of cycles given one by one; they may reach beyond ``steps`` steps.

    Raises:
        ConfigError: a cycle of length 0, or the cycles end before the run.

    >>> listed(["30%", "30%", "40%"], 25, Horizon(steps=25))
    [8, 7, 10]
    """
    durations = list(lengths)
    exact = [horizon.exact(duration, key) for duration in durations]
    if not all(exact):
        raise ConfigError(key, durations, "holds a cycle of length 0", "leave it out")
    whole = list(whole_lengths(exact))
    if sum(whole) < steps:
        raise ConfigError(
            key,
            durations,
            f"are cycles of {', '.join(map(str, whole)) or 'no'} steps, {sum(whole)} of the {steps} they are to cover",
            "lengthen one or add another",
        )
    return whole
