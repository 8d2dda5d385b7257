"""The rules that values of lrsched's own keys hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from math import inf
from typing import Any

from lrsched.errors import ConfigError, suggestion
from lrsched.horizon import parse

Rule = Callable[[str, Any], None]


def must(hold: Callable[[Any], bool], rule: str, remedy: str = "") -> Rule:
    """A rule that a value must hold; null, where a key allows it, holds every rule.

    Args:
        hold: whether a value holds the rule.
        rule: the rule in words.
        remedy: what to do about a value that breaks it.
    """

    def check(key: str, value: Any) -> None:
        if value is not None and not hold(value):
            raise ConfigError(key, value, rule, remedy)

    return check


def at_least(least: float) -> Rule:
    """Require a number of at least ``least``."""
    return must(lambda value: value >= least, f"must be at least {least}")


def within(least: float, most: float, what: str) -> Rule:
    """Require a number from ``least`` to ``most``; ``what`` says in words what it is."""
    return must(lambda value: least <= value <= most, f"must lie between {least:g} and {most:g}: {what}")


ABOVE_0 = must(lambda value: 0 < value < inf, "must be a finite number above 0")
LAYER_DECAY = must(lambda value: 0 < value <= 1, "must be a number in (0, 1]", "0.75 makes each layer a quarter slower")
HELD_OUT = must(
    lambda value: 0 < value < 1, "is a part of the data: above 0 and below 1", "0.1 holds out one sample in ten"
)
ALPHA = must(
    lambda value: value == 0 or 0.01 <= value <= 100, "is the α of Beta(α, α): from 0.01 to 100, or 0: not mixed"
)


def auto_or_threads(key: str, value: Any) -> None:
    """Require a number of threads, ``auto`` or nothing."""
    if value is None or value == "auto":
        return
    if not isinstance(value, int) or isinstance(value, bool):
        remedy = suggestion(str(value), ["auto", "null"]) or "auto: by the size of the work; null: torch's own choice"
        raise ConfigError(key, value, "must be a whole number, auto or null", remedy)
    if not 1 <= value <= 1024:
        raise ConfigError(key, value, "must lie between 1 and 1024", "auto finds a number by the size of the work")


def duration(key: str, value: Any) -> None:
    """Require a duration."""
    parse(value, key)


def null_or_duration(key: str, value: Any) -> None:
    """Require a duration or nothing."""
    if value is not None:
        duration(key, value)


def auto_or_duration(key: str, value: Any) -> None:
    """Require a duration or ``auto``."""
    if value != "auto":
        try:
            parse(value, key)
        except ConfigError as error:
            remedy = f"{error.remedy}, or auto" if error.remedy else "or give auto"
            raise ConfigError(error.key, error.value, error.rule, remedy) from error


def one_of(*words: str) -> Rule:
    """Require one of some words; the message suggests the nearest."""

    def rule(key: str, value: Any) -> None:
        if value is not None and value not in words:
            raise ConfigError(key, value, f"must be one of {', '.join(words)}", suggestion(str(value), words))

    return rule


def ruled(default: Any, rule: Rule) -> Any:
    """Make a dataclass field whose value must hold a rule."""
    return field(default=default, metadata={"rule": rule})


def expression(key: str, value: Any) -> None:
    """Require a regular expression."""
    if value is not None:
        try:
            re.compile(value)
        except re.error as error:
            raise ConfigError(key, value, f"is no regular expression: {error}") from error
