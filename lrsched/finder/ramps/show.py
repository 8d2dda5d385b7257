"""What a range test shows: curves in the terminal, a table, a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lrsched.finder.ramps.range import RangeTest
from lrsched.picture import as_png, panels
from lrsched.preview.plot import paint, plot
from lrsched.schedules.shapes import Floats

HEIGHT = 12
MARKS = {"valley": "v", "slide": "s", "minimum": "m", "steep": "t"}
ABOVE = 1.25
"""A plot ends at so many times the range between the first loss and the best: what rises above it is a cliff."""


def block(test: RangeTest, width: int, colour: bool = False) -> str:
    """Curves and table as text.

    Args:
        test: the ramps.
        width: of the terminal, in characters.
        colour: whether the terminal shows colours.
    """
    return "\n".join([*_curves(test, width, colour), "", *table(test)])


def table(test: RangeTest) -> list[str]:
    """Each suggestion, its spread over the seeds, and that of each seed."""
    seeds = [f"seed {each.seed}" for each in test.climbs]
    rows = [["", "suggestion", "rate", "lowest", "highest", *seeds]]
    for name, rates in test.of_seeds.items():
        each = [f"{found[name]:.3g}" if name in found else "-" for found in test.found]
        ends = [f"{end(rates):.3g}" for end in (min, max)]
        rows.append([MARKS[name], name, f"{test.suggestions[name]:g}", *ends, *each])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _curves(test: RangeTest, width: int, colour: bool) -> list[str]:
    """The smoothed losses over the ramp, and below them where the suggestions lie."""
    low, top = _window([each.smooth for each in test.climbs])
    shown = [np.clip(each.smooth, low, top) for each in test.climbs]
    field = max(20, width - 14)
    lines = plot(shown, steps=test.steps, width=field, height=HEIGHT, top=top, bottom=low, colour=colour)
    margin = lines[0].index("┤")
    unit = f" ({test.climbs[0].unit})" if test.climbs[0].unit else ""
    names = ", ".join(
        paint(f"seed {each.seed}", number) if colour else f"seed {each.seed}" for number, each in enumerate(test.climbs)
    )
    marks = [" "] * field
    for name, rate in test.suggestions.items():
        place = min(field - 1, int(_place(test, rate) * field))
        marks[place] = MARKS[name] if marks[place] == " " else "*"
    rule = " " * margin + "└" + "─" * field
    ends = f"{test.low:g}".ljust(field // 2 - 6) + "learning rate"
    ends += f"{test.high:g}".rjust(field - len(ends))
    pad = " " * (margin + 1)
    return [f"training loss{unit}, smoothed: {names}", *lines, rule, pad + "".join(marks).rstrip(), pad + ends]


def _window(curves: Sequence[Floats]) -> tuple[float, float]:
    """The least loss, and the largest that is shown."""
    low = min(float(curve.min()) for curve in curves)
    first = max(float(curve[0]) for curve in curves)
    most = max(float(curve.max()) for curve in curves)
    return low, min(most, low + ABOVE * (first - low)) if first > low else most


def _place(test: RangeTest, rate: float) -> float:
    """How far along the ramp a rate lies, from 0 to 1."""
    rates = max((each.rates for each in test.climbs), key=len)
    return float(np.searchsorted(rates, rate)) / test.steps


def png(test: RangeTest, file: str) -> bytes:
    """The curves of all seeds over the rate, with the suggestions marked.

    Args:
        test: the ramps.
        file: what the picture was asked for as, for the message.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure, (panel,) = panels(file, 8, [4.0], margin=0.6)
    low, top = _window([each.smooth for each in test.climbs])
    for number, each in enumerate(test.climbs):
        panel.plot(each.rates, each.losses, color=f"C{number % 10}", linewidth=0.5, alpha=0.4)
        panel.plot(each.rates, each.smooth, color=f"C{number % 10}", label=f"seed {each.seed}, smoothed")
    for number, (name, rate) in enumerate(test.suggestions.items()):
        style = ["-", "--", "-.", ":"][number % 4]
        panel.axvline(rate, color="black", linestyle=style, linewidth=1, label=f"{name}: {rate:g}")
    rates = max((each.rates for each in test.climbs), key=len)
    if math.isclose(rates[1] / rates[0], rates[-1] / rates[-2], rel_tol=1e-6):
        panel.set_xscale("log")
    room = (top - low) * 0.08 or 1.0
    panel.set_ylim(low - room, top + room)
    unit = f" ({test.climbs[0].unit})" if test.climbs[0].unit else ""
    panel.set_xlabel("learning rate of the update")
    panel.set_ylabel(f"training loss before the update{unit}")
    panel.legend(frameon=False)
    return as_png(figure)
