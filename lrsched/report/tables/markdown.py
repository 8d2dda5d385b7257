"""A table in GitHub's Markdown."""

from __future__ import annotations

import re

from lrsched.report.columns import TableColumn
from lrsched.report.tables.words import one_line

_MEANT = re.compile(r"([\\`*_\[\]<>|~#&$!])")
"""Signs by which Markdown, or HTML in it, would mean something."""


def markdown(name: str, columns: list[TableColumn], marked: bool) -> str:
    """Columns as a table; the first row in bold where it is the best.

    Args:
        name: above it; empty: none.
        columns: one or more.
        marked: whether the first row is.

    >>> print(markdown("", [TableColumn("schedule", ("wsd_s",), text=True), TableColumn("lr", ("0.1",))], True), end="")
    | schedule | lr |
    | :-- | --: |
    | **wsd\\_s** | **0.1** |
    """
    lines = [f"**{escaped(name)}**", ""] if name else []
    lines.append(_row([escaped(column.title) for column in columns]))
    lines.append(_row([":--" if column.text else "--:" for column in columns]))
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        bold = "**" if marked and number == 0 else ""
        lines.append(_row([f"{bold}{text}{bold}" if (text := escaped(cell)) else "" for cell in cells]))
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in one line that means itself.

    >>> print(escaped("a|b <i>\\n*c*"))
    a\\|b \\<i\\> \\*c\\*
    """
    return _MEANT.sub(r"\\\1", one_line(text))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
