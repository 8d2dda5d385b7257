"""Text that may come from a stranger's config, in one line."""

from __future__ import annotations


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which would end a row or colour a terminal.

    >>> one_line("val/rmse ± sd\\n(points)"), one_line("a\\x1b[31m\\u202eb")
    ('val/rmse ± sd (points)', 'a [31m b')
    """
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
