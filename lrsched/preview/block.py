"""What a preview prints: the curves, their numbers, their phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrsched.preview.course import RATE, Course
from lrsched.preview.plot import paint, plot
from lrsched.units import count

HEIGHT = 12
SHOWN = 8
"""Phases of one schedule that are written out; of more, the first ones and the last."""

HEAD = ("schedule", "peak", "at step", "last", "area", "of constant", "restarts")


def block(courses: Sequence[Course], *, width: int, colour: bool = False) -> str:
    """The whole preview as text.

    In colour all curves lie over each other; without, each has a plot of its own, all on one scale.

    Args:
        courses: of one or several schedules.
        width: of the terminal, in characters.
        colour: whether the terminal shows colours.
    """
    names = [paint(course.name, number) if colour else course.name for number, course in enumerate(courses)]
    layers = [range(len(courses))] if colour else [range(number, number + 1) for number in range(len(courses))]
    plots = []
    for layer in layers:
        picture = _picture(courses, layer, width, colour)
        plots.append("\n".join(["  ".join(names[number] for number in layer), *picture]))
    details = "\n".join(line for course in courses for line in _details(course))
    return "\n\n".join(part for part in [*plots, _table(courses, colour), details] if part)


def _picture(courses: Sequence[Course], layer: range, width: int, colour: bool) -> list[str]:
    """The curves of one plot, all groups of each schedule, on the scale of all, above their axis of steps."""
    top = max(float(rate.max()) for course in courses for rate in course.rates.values())
    longest = max(courses, key=lambda course: course.steps)
    field = max(20, width - 14)
    drawn = [(rate, number) for number in layer for rate in courses[number].rates.values()]
    curves, owners = [rate for rate, _ in drawn], [number for _, number in drawn]
    lines = plot(curves, steps=longest.steps, width=field, height=HEIGHT, top=top, colour=colour, owners=owners)
    margin = lines[0].index("┤")
    right = f"{count(longest.steps, 'step')}, {count(longest.epochs, 'epoch')}"
    return [*lines, " " * margin + "└" + "─" * field, " " * (margin + 1) + "0" + right.rjust(field - 1)]


def _table(courses: Sequence[Course], colour: bool) -> str:
    """Peak, last value, area and restarts, a line for each schedule."""
    rows: list[tuple[str, ...]] = [HEAD]
    for course in courses:
        rate = course.rate
        values = [f"{rate.max():.6g}", str(int(rate.argmax())), f"{rate[-1]:.6g}", f"{course.area:.6g}"]
        rows.append((course.name, *values, f"{100 * course.share:.4g} %", str(course.restarts)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = []
    for number, row in enumerate(rows):
        name = f"{row[0]:<{widths[0]}}"
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([paint(name, number - 1) if colour and number else name, *cells]))
    return "\n".join(lines)


def _details(course: Course) -> list[str]:
    """Phases, the other values that move, and the note."""
    lines = []
    if course.spans:
        shown = [str(span) for span in course.spans]
        if len(shown) > SHOWN:
            shown = [*shown[: SHOWN - 1], f"… {len(shown) - SHOWN} more …", shown[-1]]
        lines.append("  ".join(shown))
    for name, values in course.columns.items():
        if name != f"{RATE}{course.group}":
            moved = values[~np.isnan(values)]
            lines.append(f"{name} between {moved.min():.6g} and {moved.max():.6g}, at last {moved[-1]:.6g}")
    if course.group != "default":
        lines.append(f"no group is called default; peak, last and area are those of {course.group}")
    if course.note:
        lines.append(course.note)
    return [f"{course.name}: {line}" for line in lines]
