"""The rules that values of lrsched's own keys hold."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from lrsched.errors import ConfigError, suggestion
from lrsched.horizon import RULE, WRITTEN, parse

Limits = Mapping[str, Any]
"""What a value must hold, in the words of JSON Schema: ``{"minimum": 0, "exclusiveMaximum": 1}``."""

_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
    "minItems": lambda value, least: len(value) >= least,
    "maxItems": lambda value, most: len(value) <= most,
    "const": operator.eq,
    "anyOf": lambda value, choices: any(holds(value, each) for each in choices),
}


def holds(value: Any, limits: Limits) -> bool:
    """Whether a value keeps within limits.

    >>> holds(0, {"minimum": 0, "exclusiveMaximum": 1}), holds(1, {"minimum": 0, "exclusiveMaximum": 1})
    (True, False)
    """
    return all(_HOLDS[word](value, limit) for word, limit in limits.items())


@dataclass(frozen=True)
class Rule:
    """A rule for a value; calling it with a key and a value checks it.

    Args:
        check: raises ConfigError where a value breaks the rule.
        limits: what of it JSON Schema can say.
        words: the rule as a sentence.
    """

    check: Callable[[str, Any], None]
    limits: Limits
    words: str

    def __call__(self, key: str, value: Any) -> None:
        """Check a value."""
        self.check(key, value)


def must(limits: Limits, rule: str, remedy: str = "") -> Rule:
    """A rule that a value must hold; null, where a key allows it, holds every rule.

    Args:
        limits: what the value must keep within.
        rule: the rule in words.
        remedy: what to do about a value that breaks it.
    """

    found = [(_HOLDS[word], limit) for word, limit in limits.items()]

    def check(key: str, value: Any) -> None:
        if value is not None:
            for hold, limit in found:
                if not hold(value, limit):
                    raise ConfigError(key, value, rule, remedy)

    return Rule(check, limits, rule)


def at_least(least: float) -> Rule:
    """Require a number of at least ``least``."""
    return must({"minimum": least}, f"must be at least {least}")


def within(least: float, most: float, what: str) -> Rule:
    """Require a number from ``least`` to ``most``; ``what`` says in words what it is."""
    return must({"minimum": least, "maximum": most}, f"must lie between {least:g} and {most:g}: {what}")


ABOVE_0 = must({"exclusiveMinimum": 0, "exclusiveMaximum": inf}, "must be a finite number above 0")
LAYER_DECAY = must(
    {"exclusiveMinimum": 0, "maximum": 1}, "must be a number in (0, 1]", "0.75 makes each layer a quarter slower"
)
HELD_OUT = must(
    {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "is a part of the data: above 0 and below 1",
    "0.1 holds out one sample in ten",
)
ALPHA = must(
    {"anyOf": [{"const": 0}, {"minimum": 0.01, "maximum": 100}]},
    "is the α of Beta(α, α): from 0.01 to 100, or 0: not mixed",
)


def _duration(key: str, value: Any) -> None:
    parse(value, key)


def _null_or_duration(key: str, value: Any) -> None:
    if value is not None:
        parse(value, key)


def _auto_or_duration(key: str, value: Any) -> None:
    if value != "auto":
        try:
            parse(value, key)
        except ConfigError as error:
            remedy = f"{error.remedy}, or auto" if error.remedy else "or give auto"
            raise ConfigError(error.key, error.value, error.rule, remedy) from error


duration = Rule(_duration, {"pattern": WRITTEN}, RULE)
"""Require a duration."""

null_or_duration = Rule(_null_or_duration, {"pattern": WRITTEN}, RULE)
"""Require a duration or nothing."""

auto_or_duration = Rule(_auto_or_duration, {"pattern": rf"^auto$|{WRITTEN}"}, f"{RULE}, or auto")
"""Require a duration or ``auto``."""


def one_of(*words: str) -> Rule:
    """Require one of some words; the message suggests the nearest."""
    rule = f"must be one of {', '.join(words)}"

    def check(key: str, value: Any) -> None:
        if value is not None and value not in words:
            raise ConfigError(key, value, rule, suggestion(str(value), words))

    return Rule(check, {"enum": words}, rule)


def yes_no(text: str) -> Any:
    """Read a text as OmegaConf reads it for a key that is true or false; another one stays as it is.

    >>> yes_no("TRUE"), yes_no("off"), yes_no("auto")
    (True, False, 'auto')
    """
    words = {"true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False}
    number = whole_number(text)
    return words.get(text.lower(), text) if isinstance(number, str) else number != 0


def whole_number(text: str) -> Any:
    """Read a text as OmegaConf reads it for a key that is a whole number; another one stays as it is.

    >>> whole_number("4"), whole_number("auto")
    (4, 'auto')
    """
    try:
        return int(text)
    except ValueError:
        return text


def power_of_two(most: int) -> Rule:
    """Require a power of two."""
    powers = tuple(2**n for n in range(most.bit_length()) if 2**n <= most)
    rule = f"must be a power of two, from 1 to {most}"

    def check(key: str, value: Any) -> None:
        if value is not None and (value not in powers or isinstance(value, (bool, float))):
            near = min(powers, key=lambda power: abs(power - value)) if isinstance(value, int) else powers[2]
            raise ConfigError(key, value, rule, f"give {near}")

    return Rule(check, {"enum": powers}, rule)


def _yes_no_or_auto(key: str, value: Any) -> None:
    if not (isinstance(value, bool) or value == "auto"):
        raise ConfigError(key, value, "must be true, false or auto")


yes_no_or_auto = Rule(_yes_no_or_auto, {"enum": (True, False, "auto")}, "must be true, false or auto")
"""Require true, false or ``auto``."""


def _auto_or_threads(key: str, value: Any) -> None:
    if value is None or value == "auto":
        return
    if not isinstance(value, int) or isinstance(value, bool):
        remedy = suggestion(str(value), ["auto", "null"]) or "auto: by the size of the work; null: torch's own choice"
        raise ConfigError(key, value, "must be a whole number, auto or null", remedy)
    if not holds(value, _THREADS):
        raise ConfigError(key, value, "must lie between 1 and 1024", "auto finds a number by the size of the work")


_THREADS = {"minimum": 1, "maximum": 1024}

auto_or_threads = Rule(
    _auto_or_threads,
    {"anyOf": [{"const": "auto"}, {"const": None}, {"type": "integer", **_THREADS}]},
    "must be a whole number between 1 and 1024, auto or null",
)
"""Require a number of threads, ``auto`` or nothing."""


def ruled(default: Any, rule: Callable[[str, Any], None]) -> Any:
    """Make a dataclass field whose value must hold a rule."""
    return field(default=default, metadata={"rule": rule})


def _expression(key: str, value: Any) -> None:
    if value is not None:
        try:
            re.compile(value)
        except re.error as error:
            raise ConfigError(key, value, f"is no regular expression: {error}") from error


expression = Rule(_expression, {}, "must be a regular expression")
"""Require a regular expression."""
