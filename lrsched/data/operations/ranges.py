"""Check what random changes are asked for."""

from __future__ import annotations

from typing import Any

from lrsched.errors import ConfigError


def require(key: str, value: Any, least: float, most: float, what: str) -> None:
    """Require a number within a range.

    Args:
        key: of the value.
        value: given.
        least, most: of the range, both in it.
        what: the numbers are, in words.

    Raises:
        ConfigError: names the key.

    >>> require("hue", 0.7, 0, 0.5, "parts of the colour circle")
    Traceback (most recent call last):
    lrsched.errors.ConfigError: hue=0.7: must lie between 0 and 0.5: parts of the colour circle
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        raise ConfigError(key, value, f"must lie between {least:g} and {most:g}: {what}")


def require_pixels(key: str, value: Any) -> None:
    """Require a whole number of pixels.

    Raises:
        ConfigError: names the key.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(key, value, "must be a whole number of pixels, at least 0")
