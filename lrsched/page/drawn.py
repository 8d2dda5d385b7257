"""Curves of the candidates of a workload: read once, drawn as SVG, told as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lrsched.page import svg
from lrsched.page.curves import Band
from lrsched.report.compare import Comparison
from lrsched.report.format import titled, value
from lrsched.units import PERCENT, count

MOST = 12
"""Candidates in a picture; more are a tangle. The script draws others where asked."""

POINTS = 160
SHOWN = 7
"""Columns of the table of numbers beside a picture."""


@dataclass(frozen=True)
class Figure:
    """A picture and what stands below and beside it.

    Args:
        ident: of the figure in the page.
        kind: ``curves``, ``rates``, ``pairs``, ``target`` or ``find``.
        title, caption: in words.
        picture: the SVG.
        legend: look and name of each candidate drawn.
        head, rows: of the table of its numbers.
        metric, rate: what curves show.
    """

    ident: str
    kind: str
    title: str
    caption: str
    picture: Markup
    legend: Sequence[tuple[Markup, str]] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    metric: str = ""
    rate: str = ""


def curves(
    ident: str, comparison: Comparison, bands: Sequence[Mapping[str, Band]], names: Sequence[str]
) -> Figure | None:
    """One metric of all candidates over the steps, and below it their rates over the same steps.

    Args:
        ident: of the figure.
        comparison: of the workload.
        bands: of each candidate at its best rate, by metric.
        names: of the metrics that may be drawn, the most wanted first.
    """
    name = next((name for name in names if any(name in one for one in bands)), None)
    drawn = [number for number, one in enumerate(bands) if name in one][:MOST]
    if name is None or not drawn:
        return None
    rate = next((key for one in bands for key in one if key.startswith("lr/")), None)
    of = {number: bands[number][name].thin(POINTS) for number in drawn}
    rates = {number: bands[number][rate].thin(POINTS) for number in drawn if rate in bands[number]} if rate else {}
    steps = [step for one in [*of.values(), *rates.values()] for step in (one.steps[0], one.steps[-1])]
    x = svg.scale(steps, svg.LEFT, 520 - svg.RIGHT, log=False, room=0.0)
    above, height = (226.0, 390.0) if rates else (256.0, 300.0)
    unit = comparison.unit(name)
    y = svg.scale(_heights(list(of.values())), above, svg.TOP)
    both = ("" if rates else "step", _labelled(name, unit))
    inside = [svg.axes(x, y, both, percent=unit == PERCENT), *_lines(of, x, y)]
    if rates and rate:
        lower = svg.scale([v for one in rates.values() for v in _positive(one)], height - svg.BOTTOM, above + 34)
        inside += [svg.axes(x, lower, ("step", rate)), *_lines(rates, x, lower)]
    seeds = {one.runs for one in of.values()}
    each = "one run each" if seeds == {1} else "the mean of the seeds, with a band from the least to the most"
    left = len([one for one in bands if name in one]) - len(drawn)
    more = f" The best {MOST} are drawn; {count(left, 'more candidate')} in the table." if left else ""
    logs = " The axis is logarithmic." if y.log else ""
    caption = f"{name} over the steps, each schedule at its best rate: {each}.{more}{logs}"
    caption += f" Below it {rate}, over the same steps." if rates else ""
    title = f"{comparison.name}: {name}" + (" and learning rate" if rates else "")
    picture = svg.picture(520, height, ident, title, caption, inside)
    legend = [(svg.swatch(number), _legend(comparison, number)) for number in drawn]
    head, rows = _numbers(comparison, of, unit)
    return Figure(ident, "curves", title, caption, picture, legend, head, rows, name, rate or "")


def _legend(comparison: Comparison, number: int) -> str:
    row = comparison.candidates[number]
    return f"{row.name}, lr {row.best.lr}" if row.best else row.name


def _lines(of: Mapping[int, Band], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    made = []
    for number, one in of.items():
        if one.runs > 1:
            low, high = (y(part.clip(y.low, y.high)) for part in (one.low, one.high))
            made.append(svg.area(x(one.steps), low, high, number))
    for number, one in of.items():
        if len(one.steps) == 1:
            made.append(svg.mark(float(x(one.steps)[0]), float(y(one.mean)[0]), number))
        else:
            made.append(svg.line(x(one.steps), y(one.mean), number))
    return made


def _heights(bands: Sequence[Band]) -> list[float]:
    """What must be seen: all means and bands, but no more above the first values than below them."""
    lows = min(float(one.low.min()) for one in bands)
    tops = max(float(one.high.max()) for one in bands)
    return [lows, tops]


def _positive(one: Band) -> list[float]:
    """Ends of an axis of rates: from 0 where a rate reaches it."""
    return [min(0.0, float(one.low.min())), float(one.high.max())]


def _labelled(name: str, unit: str) -> str:
    return titled(name, unit).replace("\n", " ")


def _numbers(comparison: Comparison, of: Mapping[int, Band], unit: str) -> tuple[list[str], list[list[str]]]:
    """Means at some steps, a row a candidate."""
    last = max(float(one.steps[-1]) for one in of.values())
    steps = sorted({round(last * part / (SHOWN - 1)) for part in range(SHOWN)})
    rows = []
    for number, one in of.items():
        places = [int(one.steps.searchsorted(step, "right")) - 1 for step in steps]
        cells = [
            value(unit, float(one.mean[place])) if place >= 0 and step <= one.steps[-1] else ""
            for place, step in zip(places, steps, strict=True)
        ]
        rows.append([comparison.candidates[number].name, *cells])
    return ["up to step", *(f"{step:,}" for step in steps)], rows
