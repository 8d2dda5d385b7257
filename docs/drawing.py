"""A schedule as a small SVG: the learning rate of every step, and below it whatever else moves."""

from __future__ import annotations

from html import escape

from lrsched.preview.course import RATE, Course
from lrsched.schedules.shapes import Floats

WIDTH, LEFT, RIGHT = 640, 76, 12
TALL, FLAT, GAP, BOTTOM = 150, 44, 24, 34
INK, FAINT, LINE = "#333", "#ddd", "#1f6feb"


def svg(course: Course) -> str:
    """The picture; a value is in force for a whole step, so that curves are staircases."""
    parts, top = [], 12
    for name, values in course.columns.items():
        height = TALL if name.startswith(RATE) else FLAT
        low = 0.0 if name.startswith(RATE) else float(values.min())
        parts += _panel(name.partition("/")[0], values, low, top, height)
        top += height + GAP
    bottom, steps = top - GAP, course.horizon.steps
    parts.append(_text(LEFT, bottom + 18, "0", "middle"))
    parts.append(_text(WIDTH - RIGHT, bottom + 18, f"{steps} steps", "end"))
    size = f'width="{WIDTH}" height="{bottom + BOTTOM}" viewBox="0 0 {WIDTH} {bottom + BOTTOM}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    title = f"<title>{escape(course.name)}: learning rate by step</title>"
    ground = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, title, ground, *parts, "</svg>"]) + "\n"


def _panel(name: str, values: Floats, low: float, top: int, height: int) -> list[str]:
    """Frame, labels and curve of one value."""
    high = float(values.max())
    span = high - low or 1.0
    width = WIDTH - LEFT - RIGHT
    xs = [f"{LEFT + width * step / len(values):.1f}" for step in range(len(values) + 1)]
    ys = [f"{top + height * (1 - (value - low) / span):.1f}" for value in values.tolist()]
    path = f"M{xs[0]} {ys[0]}"
    for i, x in enumerate(xs[1:]):
        if i + 1 == len(ys):
            path += f"H{x}"
        elif ys[i + 1] != ys[i]:  # a value that stays needs no new corner
            path += f"H{x}V{ys[i + 1]}"
    frame = f'<path d="M{LEFT} {top}V{top + height}H{WIDTH - RIGHT}" fill="none" stroke="{INK}"/>'
    peak = f'<path d="M{LEFT} {top}H{WIDTH - RIGHT}" stroke="{FAINT}"/>'
    labels = [_text(LEFT - 6, top + 4, f"{high:.4g}", "end"), _text(LEFT - 6, top + height, f"{low:.4g}", "end")]
    labels.append(_text(LEFT - 6, top + height // 2 + 2, name, "end"))
    return [peak, frame, *labels, f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>']


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'
