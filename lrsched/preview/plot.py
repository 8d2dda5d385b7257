"""Curves in a terminal: braille characters, eight dots each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from lrsched.schedules.shapes import Floats

DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
"""The bit of each dot of a braille character, from U+2800, by row and column."""

COLOURS = (36, 33, 35, 32, 34, 31)
"""ANSI's cyan, yellow, magenta, green, blue, red: one a curve, in this order and round again."""


def plot(
    curves: Sequence[Floats],
    *,
    steps: int,
    width: int,
    height: int,
    top: float,
    bottom: float = 0.0,
    colour: bool = False,
    owners: Sequence[int] = (),
) -> list[str]:
    """Lines of text that show the curves over each other, from ``bottom`` to ``top``, on one axis of steps.

    A column of dots shows all the steps that fall into it from the lowest to the highest value, and
    where it came from: no restart, however short, is missed.

    Args:
        curves: values of every step, none below ``bottom``.
        steps: length of the axis; a shorter curve takes its part of it.
        width, height: of the field, in characters.
        top, bottom: the values at its edges.
        colour: each curve in a colour of its own.
        owners: the number of each curve's colour, where several have one.

    >>> print("\\n".join(plot([np.linspace(1, 0, 9)], steps=9, width=8, height=2, top=1.0)))
    1 ┤⠉⠓⠦⣄⡀
    0 ┤    ⠉⠙⠲⢤
    """
    dots = np.zeros((height, width), dtype=np.uint8)
    owner = np.zeros((height, width), dtype=np.int64)
    for number, values in enumerate(curves):
        mine = _dots(values - bottom, steps, width, height, (top - bottom) or 1.0)
        dots |= mine
        owner[mine > 0] = owners[number] if owners else number
    labels = _labels(top, bottom, height)
    margin = max(map(len, labels))
    rows = [_row(bits, owners, colour) for bits, owners in zip(dots, owner, strict=True)]
    return [f"{label:>{margin}} ┤{row}".rstrip() for label, row in zip(labels, rows, strict=True)]


def _dots(values: Floats, steps: int, width: int, height: int, top: float) -> np.ndarray:
    """The braille bits of one curve, uint8[height, width]."""
    bits = np.zeros((height, width), dtype=np.uint8)
    edges = np.arange(2 * width + 1) * steps // (2 * width)
    before = values[0]
    for column in range(2 * width):
        first = edges[column]
        if first >= len(values):
            break
        here = values[first : max(edges[column + 1], first + 1)]
        low, high = min(here.min(), before), max(here.max(), before)
        before = here[-1]
        upper, lower = (round((1 - value / top) * (4 * height - 1)) for value in (high, low))
        for y in range(max(upper, 0), lower + 1):
            bits[y // 4, column // 2] |= DOTS[y % 4, column % 2]
    return bits


def _labels(top: float, bottom: float, height: int) -> list[str]:
    """The value at the upper edge, at the middle and at the bottom; blanks elsewhere."""
    labels = [""] * height
    labels[0], labels[-1] = f"{top:.4g}", f"{bottom:.4g}"
    if height >= 5:
        labels[height // 2] = f"{bottom + (top - bottom) * (1 - (height // 2 + 0.5) / height):.3g}"
    return labels


def _row(bits: np.ndarray, owners: np.ndarray, colour: bool) -> str:
    characters = [chr(0x2800 + bit) if bit else " " for bit in bits.tolist()]
    if not colour:
        return "".join(characters).rstrip()
    cells = groupby(zip(characters, owners.tolist(), strict=True), key=lambda cell: (cell[0] == " ", cell[1]))
    runs = [(blank, number, "".join(character for character, _ in run)) for (blank, number), run in cells]
    return "".join(text if blank else paint(text, number) for blank, number, text in runs)


def paint(text: str, number: int) -> str:
    """Text in the colour of curve ``number``."""
    return f"\x1b[{COLOURS[number % len(COLOURS)]}m{text}\x1b[0m"
