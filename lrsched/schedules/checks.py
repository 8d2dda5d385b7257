"""What schedules ask of their parameters, and the one way they complain."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import Any, cast

from lrsched.errors import ConfigError, suggestion


def require(ok: bool, key: str, value: Any, rule: str, remedy: str = "") -> None:
    """Raise a :class:`ConfigError` unless ``ok``."""
    if not ok:
        raise ConfigError(key, value, rule, remedy)


@contextmanager
def below(key: str) -> Generator[None]:
    """What is complained of within is named below ``key``: a schedule inside a schedule.

    >>> with below("parts[1].schedule"):
    ...     number("gamma", 0, "(0, 1]")
    Traceback (most recent call last):
    lrsched.errors.ConfigError: parts[1].schedule.gamma=0: must be a number in (0, 1]
    """
    try:
        yield
    except ConfigError as error:
        raise error.under(key) from error


def number(key: str, value: Any, within: str) -> None:
    """Refuse what is not a number within an interval, which is written as one writes it on paper.

    >>> number("gamma", 1, "(0, 1]")
    >>> number("gamma", 0, "(0, 1]")
    Traceback (most recent call last):
    lrsched.errors.ConfigError: gamma=0: must be a number in (0, 1]
    """
    low, high = (float(end) for end in within[1:-1].split(","))
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = real and (low <= value if within[0] == "[" else low < value)
    inside = inside and (value <= high if within[-1] == "]" else value < high)
    require(inside, key, value, f"must be a number in {within}")


def whole(key: str, value: Any, least: int) -> None:
    """Refuse what is not a whole number of at least ``least``."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    require(good, key, value, f"must be a whole number of at least {least}")


def flag(key: str, value: Any) -> None:
    """Refuse what is neither true nor false."""
    require(isinstance(value, bool), key, value, "must be true or false")


def one_of(key: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a word that is not on the list."""
    require(value in known, key, value, f"is not one of {', '.join(known)}", suggestion(str(value), known))


def is_pair(value: object) -> bool:
    """Whether a value is a tuple of two."""
    return isinstance(value, tuple) and len(cast("tuple[Any, ...]", value)) == 2


def momentum_range(key: str, value: Any) -> None:
    """Refuse what is neither None nor a pair [low, high] of momenta."""
    if value is None:
        return
    require(is_pair(value), key, value, "must be [low, high], or null to leave the momentum alone")
    for momentum in value:
        number(key, momentum, "[0, 1)")
    require(value[0] <= value[1], key, value, "must be [low, high]: the first at most the second", "swap them")


def rise(numbers: Sequence[float | Fraction]) -> bool:
    """Whether each number is larger than the one before it."""
    return all(before < after for before, after in pairwise(numbers))


def unreached(what: str, at: Mapping[str, int], steps: int) -> list[str]:
    """Warn of each duration whose step lies after the last of ``steps`` steps; ``what`` names its kind."""
    late = {duration: step for duration, step in at.items() if step >= steps}
    return [f"{what} {d} is step {n} of a schedule of {steps} steps: it is never reached" for d, n in late.items()]
