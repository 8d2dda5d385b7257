"""A table in LaTeX, ruled by the package booktabs."""

from __future__ import annotations

import re

from lrsched.report.columns import TableColumn
from lrsched.report.tables.words import one_line

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "[": "{[}",  # these two would be arguments of the line break before them
    "*": "{*}",
    "\0": "{}",
    "±": r"$\pm$",
    "–": "--",
    "…": r"\dots{}",
    "−": "$-$",
    "×": r"$\times$",
}
_NUMBER = re.compile(r"(?<![\w.])(-?)(\d[\d.]*)(?:e([+-]?\d+))?(?![\w.])")

HEAD = "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n"


def latex(name: str, columns: list[TableColumn], marked: bool) -> str:
    """Columns as a ``tabular``; the first row in bold where it is the best.

    Args:
        name: in a comment above it; empty: none.
        columns: one or more.
        marked: whether the first row is.

    >>> print(latex("", [TableColumn("a_b", ("1 %",), text=True), TableColumn("lr", ("1e-05",))], False), end="")
    % needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}
    \\begin{tabular}{lr}
    \\toprule
    a\\_b & lr \\\\
    \\midrule
    1 \\% & $1 \\times 10^{-5}$ \\\\
    \\bottomrule
    \\end{tabular}
    """
    lines = [f"% {one_line(name)}"] if name else []
    sides = "".join("l" if column.text else "r" for column in columns)
    lines += [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", _row([escaped(column.title) for column in columns])]
    lines.append(r"\midrule")
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        made = [escaped(cell) if column.text else counted(cell) for column, cell in zip(columns, cells, strict=True)]
        if marked and number == 0:
            made = [rf"\textbf{{{cell}}}" if cell else "" for cell in made]
        lines.append(_row(made))
    return HEAD + "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escaped(text: str) -> str:
    """Text in one line that means itself.

    >>> print(escaped("50% of a_b & {c} --"))
    50\\% of a\\_b \\& \\{c\\} -{}-
    """
    apart = re.sub("-(?=-)", "-\0", one_line(text))  # two would become one dash
    return "".join(_SIGNS.get(letter, letter) for letter in apart)


def counted(cell: str) -> str:
    """A cell of numbers, with minus signs and powers of ten as they are set.

    >>> print(counted("9.77e-07 ± 0.01e-07"), counted("-0.5 (0.1 to 2)"))
    $9.77 \\times 10^{-7}$ $\\pm$ $0.01 \\times 10^{-7}$ $-0.5$ (0.1 to 2)
    """
    pieces, end = [], 0
    for found in _NUMBER.finditer(cell):
        sign, digits, power = found.groups()
        if sign or power:
            scaled = rf" \times 10^{{{int(power)}}}" if power else ""
            pieces += [_between(cell[end : found.start()]), f"${sign}{digits}{scaled}$"]
            end = found.end()
    return "".join([*pieces, _between(cell[end:])])


def _between(text: str) -> str:
    """Text between two numbers: its outer blanks stay."""
    inner = escaped(text)
    return f"{' ' * text.startswith(' ')}{inner}{' ' * (text.endswith(' ') and bool(inner))}" if text else ""


def _row(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
