"""Keep values of the environment out of texts: each stands there as the ``${oc.env:NAME}`` that it came from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

SHORTEST = 6
"""Characters of the shortest secret: shorter values (``1``, ``data``) occur in every text."""

LONGEST = 300
"""The most characters of a value in a message."""

_PATH = re.compile(r"(?<= )resume=[\w./-]*\$\{oc\.env:\w+\}(?:[\w./-]|\$\{oc\.env:\w+\})*")
"""A word to be typed, which a shell reads as it is only in quotes."""


def stand_in(name: str) -> str:
    """The text that stands for a value of the environment."""
    return f"${{oc.env:{name}}}"


def replaced(text: str, secrets: Mapping[str, str]) -> str:
    r"""A text with the stand-in of each secret, also where it is written as Python does, or without its line ends.

    >>> replaced("in 'a\\nsecret'", {"a\nsecret": "${oc.env:KEY}"})
    "in '${oc.env:KEY}'"
    """
    forms: dict[str, str] = {}
    for secret, instead in secrets.items():
        for form in (repr(secret)[1:-1], " ".join(secret.split()), secret):
            if len(form) >= SHORTEST:
                forms[form] = instead
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, forms[form])
    return text


class Mask:
    """Hides in messages what was read from the environment while configs were composed."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def note(self, name: str, value: str) -> None:
        """Remember a value that a config referred to, if it is long enough for a secret."""
        if len(value) >= SHORTEST:
            self._secrets[value] = stand_in(name)

    def hide(self, text: str, longest: int | None = None) -> str:
        """The text without the secrets; a command in it can still be typed.

        Args:
            text: of a message.
            longest: characters to leave of it, from both ends: cut before, a part of a secret would not be known.
        """
        if self._secrets:
            text = _PATH.sub(lambda word: shlex.quote(word[0]), replaced(text, self._secrets))
        return text if longest is None or len(text) <= longest else f"{text[: longest - 40]}…{text[-39:]}"


_MASK = Mask()


def mask() -> Mask:
    """The mask of this process, in which every message is shown."""
    return _MASK
