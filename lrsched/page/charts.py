"""Pictures of what was compared: the metric against the rate, each pair's interval, the steps to a target."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup

from lrsched.page import svg
from lrsched.page.drawn import MOST, Figure
from lrsched.report.compare import Comparison
from lrsched.report.format import around, difference, titled, value
from lrsched.report.pairs import Pair
from lrsched.report.rates import Candidate, Rate, mean, spread
from lrsched.report.time_to_target import Race
from lrsched.units import PERCENT, count

ROW = 44.0


def rates(ident: str, comparison: Comparison) -> Figure | None:
    """The choosing metric against the learning rate; None where no candidate was trained at two rates."""
    drawn = [(n, row) for n, row in enumerate(comparison.candidates) if len(_points(row)) > 0][:MOST]
    if len({lr for _, row in drawn for lr, _ in _points(row)}) < 2:
        return None
    name = comparison.metric.chosen_by
    unit = comparison.unit(name)
    found = {number: _points(row) for number, row in drawn}
    x = svg.scale([lr for points in found.values() for lr, _ in points], svg.LEFT, 520 - svg.RIGHT, log=True)
    finite = [item for points in found.values() for _, rate in points for item in rate.choosing.values()]
    y = svg.scale(finite, 256, svg.TOP)
    inside = [svg.axes(x, y, ("learning rate", _labelled(name, unit)), percent=unit == PERCENT, steps=False)]
    lost = False
    for number, row in drawn:
        means = [(lr, mean(rate.choosing.values()), rate) for lr, rate in found[number]]
        known = [(lr, height) for lr, height, _ in means if math.isfinite(height)]
        if known:
            at, heights = zip(*known, strict=True)
            inside.append(svg.line(x(np.array(at)), y(np.array(heights)), number))
        for lr, height, rate in means:
            inside.append(_rate(x, y, number, row, lr, height, rate, unit))
            lost = lost or not math.isfinite(height)
    caption = (
        f"Mean {name} of the seeds at each learning rate, with each seed as a small mark; the chosen rate is ringed."
    )
    caption += " A cross at the edge: a run diverged there." if lost else ""
    caption += " The axis is logarithmic." if y.log else ""
    title = f"{comparison.name}: {name} against learning rate"
    legend = [(svg.swatch(number), row.name) for number, row in drawn]
    head, rows = rate_table(comparison)
    picture = svg.picture(520, 300, ident, title, caption, inside)
    return Figure(ident, "rates", title, caption, picture, legend, head, rows)


def _points(row: Candidate) -> list[tuple[float, Rate]]:
    return [(float(r.lr), r) for r in row.rates if isinstance(r.lr, (int, float)) and r.lr > 0 and r.choosing]


def _rate(
    x: svg.Scale, y: svg.Scale, number: int, row: Candidate, lr: float, height: float, rate: Rate, unit: str
) -> Markup:
    """The mean at a rate, and its seeds."""
    at, made = float(x(lr)), []
    if not math.isfinite(height):
        edge = y.end + 8 if height > 0 else y.start - 8
        told = Markup("<title>{} at {}: {} of {} diverged</title>").format(
            row.name, lr, rate.diverged, len(rate.choosing)
        )
        cross = [svg.rule(at - 5, edge - 5, at + 5, edge + 5, ""), svg.rule(at - 5, edge + 5, at + 5, edge - 5, "")]
        return Markup('<g class="cross {}">{}{}</g>').format(svg.look(number), told, Markup("").join(cross))
    if len(rate.choosing) > 1:
        made += [svg.mark(at, float(y(v)), number, size=1.8) for v in rate.choosing.values() if math.isfinite(v)]
    if rate is row.best:
        ring = Markup('<circle class="ring {}" cx="{:.1f}" cy="{:.1f}" r="9"/>')
        made.append(ring.format(svg.look(number), at, float(y(height))))
    made.append(svg.mark(at, float(y(height)), number, f"{row.name} at {lr:g}: {value(unit, height)}"))
    return Markup("").join(made)


def rate_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The mean and deviation of each candidate at each rate; the chosen one has a star."""
    name = comparison.metric.chosen_by
    unit = comparison.unit(name)
    tried = sorted(
        {rate.lr for row in comparison.candidates for rate in row.rates}, key=lambda lr: (isinstance(lr, str), lr or 0)
    )
    rows = []
    for row in comparison.candidates:
        at = {rate.lr: rate for rate in row.rates}
        rows.append([row.name, *(_cell(at[lr], row, unit) if lr in at else "" for lr in tried)])
    return [f"{_labelled(name, unit)} at lr", *map(str, tried)], rows


def _cell(rate: Rate, row: Candidate, unit: str) -> str:
    values = list(rate.choosing.values())
    deviation = spread(values)
    middle = mean(values)
    told = value(unit, middle) if deviation is None or not math.isfinite(middle) else around(unit, middle, deviation)
    return f"{told} *" if rate is row.best else told


def pairs(ident: str, comparison: Comparison) -> Figure | None:
    """Each pair's interval: by how much the best is better, and with each seed."""
    there = {row.name: number for number, row in enumerate(comparison.candidates)}
    drawn = [pair for pair in comparison.pairs if pair.differences][:MOST]
    if not drawn:
        return None
    unit = comparison.unit()
    ends = [end for pair in drawn for end in [0.0, *pair.differences, *(pair.interval or ())]]
    x = svg.scale(ends, 16, 504, log=False, room=0.06)
    bottom = 12 + ROW * len(drawn)
    zero = float(x(0.0))
    inside = [svg.rule(zero, 4, zero, bottom, "zero"), svg.rule(x.start, bottom, x.end, bottom, "axis")]
    for tick in x.ticks(5):
        shown = f"{100 * tick:g}" if unit == PERCENT else f"{tick:g}"
        inside += [svg.rule(float(x(tick)), bottom, float(x(tick)), bottom + 4, "axis")]
        inside += [svg.text(float(x(tick)), bottom + 18, shown, "tick", "middle")]
    for place, pair in enumerate(drawn):
        inside += _pair(pair, x, 12 + ROW * place, there[pair.other])
    best, after = drawn[0].best, "percentage points" if unit == PERCENT else unit
    metric = comparison.metric.name
    inside.append(svg.text(260, bottom + 38, f"{best} better by{f' ({after})' if after else ''} →", "label", "middle"))
    caption = f"By how much {best} is better in {metric}: the mean, and its interval."
    caption += " Small marks are single seeds. An interval that holds 0 decides nothing."
    if any(pair.interval is None for pair in drawn):
        caption += " Fewer than five shared seeds give no interval."
    others = drawn[0].other if len(drawn) == 1 else "each other one"
    title = f"{comparison.name}: {best} against {others}"
    picture = svg.picture(520, bottom + 46, ident, title, caption, inside)
    return Figure(ident, "pairs", title, caption, picture, (), *_pair_table(comparison, unit))


def _pair(pair: Pair, x: svg.Scale, top: float, number: int) -> list[Markup]:
    """The other one's name, its interval, its mean, its seeds."""
    at, made = top + 30, [svg.text(x.start, top + 14, pair.other, "name")]
    made += [svg.rule(float(x(d)), at + 5, float(x(d)), at + 10, f"seed {svg.look(number)}") for d in pair.differences]
    if pair.interval:
        low, high = (float(x(end)) for end in pair.interval)
        made += [svg.rule(low, at, high, at, f"interval {svg.look(number)}")]
        made += [svg.rule(end, at - 5, end, at + 5, f"interval {svg.look(number)}") for end in (low, high)]
    assert pair.mean is not None
    return [*made, svg.mark(float(x(pair.mean)), at, number, f"{pair.best} against {pair.other}")]


def _pair_table(comparison: Comparison, unit: str) -> tuple[list[str], list[list[str]]]:
    head = ["against", titled("better by (interval)", unit).replace("\n", " "), "level", "seeds"]
    rows = [
        [
            pair.other,
            "–" if pair.mean is None else difference(unit, pair.mean, pair.interval),
            "–" if pair.level is None else f"{100 * pair.level:.1f} %",
            str(pair.seeds),
        ]
        for pair in comparison.pairs
    ]
    return head, rows


def target(ident: str, comparison: Comparison, race: Race) -> Figure:
    """The steps of each candidate to the target."""
    found = sorted(race.steps.items(), key=lambda item: item[1])
    there = {row.name: number for number, row in enumerate(comparison.candidates)}
    drawn, unit = found[:MOST], comparison.unit()
    x = svg.scale([0.0, *(steps for _, steps in drawn if math.isfinite(steps))], 16, 440, log=False, room=0.0)
    inside = []
    for place, (name, steps) in enumerate(drawn):
        top = 6 + ROW * place
        inside.append(svg.text(16, top + 14, name, "name"))
        told = f"{steps:,.0f}" if math.isfinite(steps) else "never"
        end = float(x(steps)) if math.isfinite(steps) else 16.0
        look = svg.look(there[name])
        form = '<rect class="bar {}" x="16" y="{:.1f}" width="{:.1f}" height="12" rx="2"/>'
        inside += [Markup(form).format(look, top + 22, end - 16), svg.text(end + 6, top + 33, told, "tick")]
    way = "at most" if comparison.metric.mode == "min" else "at least"
    wanted = f"{comparison.metric.name} {way} {value(unit, race.target)}{'' if unit in ('', PERCENT) else f' {unit}'}"
    caption = f"Completed updates until {wanted}: the median over the seeds of the fastest rate's steps."
    title = f"{comparison.name}: steps to {wanted}"
    picture = svg.picture(520, 12 + ROW * len(drawn), ident, title, caption, inside)
    head, rows = ["schedule", "steps"], [[n, f"{s:,.0f}" if math.isfinite(s) else "never"] for n, s in found]
    return Figure(ident, "target", title, f"{caption} {count(len(found), 'candidate')}.", picture, (), head, rows)


def _labelled(name: str, unit: str) -> str:
    return titled(name, unit).replace("\n", " ")
