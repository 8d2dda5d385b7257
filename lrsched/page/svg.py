"""Draw lines, bands and points as SVG: axes, ticks, marks. Text is escaped; colours and dashes come from the style."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lrsched.report.stats import Floats

LEFT, RIGHT, TOP, BOTTOM = 66.0, 12.0, 26.0, 44.0
WIDE = 10.0
"""Positive values that differ by more than this factor go on a logarithmic axis."""

COLOURS, DASHES = 8, 6
SHAPES = 4


@dataclass(frozen=True)
class Scale:
    """An axis: values to units of the picture.

    Args:
        low, high: its ends, low < high.
        start, end: where they lie.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values: Floats | float) -> Floats:
        """Where values lie; beyond the ends, at the ends."""
        low, high, at = self._way(self.low), self._way(self.high), self._way(np.clip(values, self.low, self.high))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def _way(self, values: Floats | float) -> Floats:
        return np.log10(values) if self.log else np.asarray(values, dtype=np.float64)

    def ticks(self, most: int = 5) -> list[float]:
        """Round numbers on it, at most about so many.

        >>> Scale(0, 84, 0, 1).ticks(), Scale(0.02, 3, 0, 1, log=True).ticks()
        ([0.0, 20.0, 40.0, 60.0, 80.0], [0.1, 1.0])
        """
        if not self.log:
            step = _nice((self.high - self.low) / most)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            return [float(f"{place * step:.10g}") for place in range(first, last + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = max(1, math.ceil(len(decades) / (most + 1)))
        digits = (1,) if len(decades) > 3 else (1, 2, 5) if len(decades) > 2 else (1, 2, 3, 5, 7)
        found = [digit * 10.0**decade for decade in decades if decade % every == 0 for digit in digits]
        inside = [
            float(f"{tick:.10g}") for tick in found if self.low <= tick * 1.000001 and tick <= self.high * 1.000001
        ]
        tens = [tick for tick in inside if float(f"{math.log10(tick):.9g}").is_integer()]
        return tens if len(tens) >= 2 else inside


def scale(values: Iterable[float], start: float, end: float, *, log: bool | None = None, room: float = 0.04) -> Scale:
    """An axis for finite values, with some room; logarithmic where they are positive and far apart, unless told."""
    known = np.array([value for value in values if math.isfinite(value)] or [0.0, 1.0], dtype=np.float64)
    low, high = float(known.min()), float(known.max())
    logarithmic = (low > 0 and high > WIDE * low) if log is None else log and low > 0
    if logarithmic:
        more = (high / low) ** room if high > low else 2.0
        return Scale(low / more, high * more, start, end, log=True)
    more = (high - low) * room if high > low else abs(high) * 0.1 or 1.0
    return Scale(low - more, high + more, start, end)


def _nice(step: float) -> float:
    ten = 10.0 ** math.floor(math.log10(step))
    return next(digit * ten for digit in (1, 2, 5, 10) if digit * ten >= step * 0.999)


def look(number: int) -> str:
    """The classes of the colour and the dashes of a candidate; no two of the first 48 have the same."""
    return f"c{number % COLOURS} d{(number % COLOURS + number // COLOURS) % DASHES}"


def line(x: Floats, y: Floats, number: int, kind: str = "line") -> Markup:
    """A line through points, in the look of a candidate."""
    return Markup('<polyline class="{} {}" points="{}"/>').format(kind, look(number), _points(x, y))


def area(x: Floats, low: Floats, high: Floats, number: int) -> Markup:
    """A band between two lines."""
    both = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
    return Markup('<polygon class="band {}" points="{}"/>').format(look(number), _points(*both))


def rule(x0: float, y0: float, x1: float, y1: float, kind: str) -> Markup:
    """A straight line."""
    ends = (f"{value:.1f}" for value in (x0, y0, x1, y1))
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, *ends)


def mark(x: float, y: float, number: int, title: str = "", size: float = 4.5) -> Markup:
    """A mark whose shape and colour are those of a candidate; its title is shown where the mouse rests."""
    r, shape = size, number % SHAPES
    if shape == 0:
        inside = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(x, y, r)
    else:
        corners = {
            1: ((-r, -r), (r, -r), (r, r), (-r, r)),
            2: ((0, -1.3 * r), (1.2 * r, r), (-1.2 * r, r)),
            3: ((0, -1.4 * r), (1.4 * r, 0), (0, 1.4 * r), (-1.4 * r, 0)),
        }[shape]
        points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        inside = Markup('<polygon points="{}"/>').format(points)
    told = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<g class="mark {}">{}{}</g>').format(look(number), told, inside)


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> Markup:
    """A line of text."""
    form = '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
    return Markup(form).format(kind, x, y, anchor, content)


def axes(x: Scale, y: Scale, labels: tuple[str, str], *, percent: bool = False, steps: bool = True) -> Markup:
    """Rules, ticks and labels of two axes.

    Args:
        x, y: the axes; y runs upwards, so its start is below its end.
        labels: of both; an empty one leaves out the ticks' numbers too, for a picture above another one.
        percent: whether y holds fractions that are read in percent.
        steps: whether x holds steps.
    """
    made = [rule(x.start, y.start, x.end, y.start, "axis"), rule(x.start, y.start, x.start, y.end, "axis")]
    for tick in x.ticks(5):
        at = float(x(tick))
        made.append(rule(at, y.start, at, y.end, "grid"))
        if labels[0]:
            made.append(
                text(at, y.start + 17, f"{tick:,.0f}" if steps and tick >= 1 else f"{tick:g}", "tick", "middle")
            )
    for tick in y.ticks(4):
        at = float(y(tick))
        made.append(rule(x.start, at, x.end, at, "grid"))
        made.append(text(x.start - 6, at + 4, f"{100 * tick:g}%" if percent else f"{tick:g}", "tick", "end"))
    if labels[0]:
        made.append(text((x.start + x.end) / 2, y.start + 36, labels[0], "label", "middle"))
    made.append(text(4, y.end - 10, labels[1], "label"))
    return Markup("").join(made)


def picture(width: float, height: float, ident: str, title: str, about: str, inside: Sequence[Markup]) -> Markup:
    """A picture with a title and a description, which a screen reader says."""
    form = (
        '<svg viewBox="0 0 {:g} {:g}" role="img" aria-labelledby="{ident}-title {ident}-desc">'
        '<title id="{ident}-title">{}</title><desc id="{ident}-desc">{}</desc>{}</svg>'
    )
    return Markup(form).format(width, height, title, about, Markup("").join(inside), ident=ident)


def swatch(number: int) -> Markup:
    """A piece of a candidate's line with its mark, for a legend."""
    ends = rule(1, 7, 33, 7, f"line {look(number)}")
    return Markup('<svg class="swatch" viewBox="0 0 34 14" aria-hidden="true" focusable="false">{}{}</svg>').format(
        ends, mark(17, 7, number, size=4)
    )


def _points(x: Floats, y: Floats) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
