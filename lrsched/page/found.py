"""What finders answered: their curves and suggestions, from ``find.json``, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrsched.numbers import number
from lrsched.page import svg
from lrsched.page.curves import Curve
from lrsched.page.drawn import Figure

ABOVE = 1.25
"""A plot ends at so many times the range between the first loss and the best: what rises above it is a cliff."""


@dataclass(frozen=True)
class Find:
    """The answer of a finder for one schedule.

    Args:
        heading: the folder, and the schedule where there are several.
        facts: words and values, the suggestion first.
        override: to paste.
        figure: the losses over the rate.
    """

    heading: str
    facts: Sequence[tuple[str, str]]
    override: str
    figure: Figure | None


@dataclass(frozen=True)
class Ranking:
    """Several schedules in one answer, the best first.

    Args:
        ident, heading: of the table, of the folder.
        head, rows: of the table.
        undecided: the schedules among which it is not decided.
        command: the runs that would decide it.
    """

    ident: str
    heading: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    undecided: str
    command: str


def rankings(answers: Iterable[tuple[Path, Mapping[str, Any]]]) -> list[Ranking]:
    """The answers that rank schedules."""
    found = []
    for place, (folder, content) in enumerate(answers):
        each = _each(content)
        if each and any(one.get("predicted") for one in each):
            open_ = [str(name) for name in content.get("undecided") or ()]
            rows = [_row(rank, one) for rank, one in enumerate(each, 1)]
            head = ["place", "schedule", "lr", "interval", "predicted loss", "behind (%)", ""]
            told = str(content.get("decide") or "")
            found.append(Ranking(f"ranking-{place}", folder.name, head, rows, ", ".join(open_), told))
    return found


def _each(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    several = content.get("answers")
    return [one for one in several if isinstance(one, dict)] if isinstance(several, list) else []


def _row(place: int, one: Mapping[str, Any]) -> list[str]:
    interval, mark = one.get("interval"), "undecided" if one.get("undecided") is True else ""
    cells = [_told(one.get("suggestion")), _told(interval) if interval else ""]
    gaps = [_ends(one.get(key)) for key in ("predicted", "behind_percent")]
    return [str(place), str(one.get("scheduler", "")), *cells, *gaps, mark]


def _ends(value: Any) -> str:
    """A mean and its interval."""
    if not isinstance(value, Mapping):
        return ""
    mean, low, high = (_told(value.get(key)) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def finds(answers: Iterable[tuple[Path, Mapping[str, Any]]]) -> list[Find]:
    """The answers of all finders, one for each schedule."""
    found = []
    for folder, content in answers:
        for one in _each(content) or [content]:
            name = f"{folder.name}: {one['scheduler']}" if one.get("scheduler") else folder.name
            found.append(_find(f"find-{len(found)}", name, one))
    return found


def _find(ident: str, heading: str, content: Mapping[str, Any]) -> Find:
    facts = [(_words(key), told) for key in content if (told := _fact(key, content[key]))]
    return Find(heading, facts, str(content.get("override", "")), _figure(ident, heading, content))


def _words(key: str) -> str:
    return str(key).replace("_", " ")


def _fact(key: str, value: Any) -> str:
    """A value in words; empty for the candidates, which are drawn, and for what is empty."""
    if key in ("candidates", "answers", "override", "means", "decide") or value in (None, "", [], {}):
        return ""
    return _told(value)


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)} {_told(item)}" for key, item in value.items())
    if isinstance(value, list):
        numbers = len(value) == 2 and all(isinstance(item, float) for item in value)
        return (" to " if numbers else ", ").join(map(_told, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(ident: str, heading: str, content: Mapping[str, Any]) -> Figure | None:
    """Losses over rates: a curve for each seed of a ramp, or else a line of means for each length of the runs."""
    points = [one for one in content.get("candidates") or () if isinstance(one, dict) and _is_point(one)]
    if not points:
        return None
    ramp = content.get("method") == "range"
    of: dict[Any, list[Mapping[str, Any]]] = {}
    for one in points:
        of.setdefault(one.get("seed" if ramp else "horizon"), []).append(one)
    curves = {key: _curve(group, means=not ramp) for key, group in of.items()}
    x = svg.scale([float(one["lr"]) for one in points], svg.LEFT, 520 - svg.RIGHT, log=True)
    y = svg.scale(_window(curves.values(), ramp=ramp), 256, svg.TOP)
    inside = [svg.axes(x, y, ("learning rate", "loss"), steps=False)]
    for place, curve in enumerate(curves.values()):
        thin = curve.thin(160)
        inside.append(svg.line(x(thin.steps), y(thin.values), place))
        if not ramp:
            for lr, loss in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
                inside.append(svg.mark(float(x(lr)), float(y(loss)), place, f"{lr:g}: {loss:.5g}"))
    suggestion = number(content.get("suggestion"))
    if suggestion is not None and x.low <= suggestion <= x.high:
        at = float(x(suggestion))
        side, anchor = (-6, "end") if at > 300 else (6, "start")
        inside += [
            svg.rule(at, y.start, at, y.end, "zero"),
            svg.text(at + side, y.start - 8, f"{suggestion:g}", "name", anchor),
        ]
    what = "of each seed on its ramp" if ramp else "as the mean of the seeds, for each length of the runs"
    caption = f"Loss over the learning rate, {what}. The vertical line is the suggestion."
    word = "seed {}" if ramp else "{} steps"
    legend = [(svg.swatch(place), word.format(key)) for place, key in enumerate(curves)]
    picture = svg.picture(520, 300, ident, f"{heading}: loss over learning rate", caption, inside)
    head, rows = ["learning rate", *(text for _, text in legend)], _rows(list(curves.values()))
    return Figure(ident, "find", f"{heading}: loss over learning rate", caption, picture, legend, head, rows)


def _is_point(one: Mapping[str, Any]) -> bool:
    named = not any(isinstance(one.get(key), (list, dict)) for key in ("horizon", "seed"))
    return named and (number(one.get("lr")) or 0) > 0 and number(one.get("loss")) is not None


def _curve(group: Sequence[Mapping[str, Any]], *, means: bool) -> Curve:
    if not means:
        return Curve(*(np.array([float(one[key]) for one in group]) for key in ("lr", "loss")))
    at: dict[float, list[float]] = {}
    for one in group:
        at.setdefault(float(one["lr"]), []).append(float(one["loss"]))
    rates = sorted(at)
    return Curve(np.array(rates), np.array([math.fsum(at[rate]) / len(at[rate]) for rate in rates]))


def _window(curves: Iterable[Curve], *, ramp: bool) -> list[float]:
    """The least loss and the largest that is shown; the end of a ramp is a cliff."""
    known = list(curves)
    low, most = (float(end(end(curve.values) for curve in known)) for end in (min, max))
    first = max(float(curve.values[0]) for curve in known)
    return [low, min(most, low + ABOVE * (first - low))] if ramp and first > low else [low, most]


def _rows(curves: Sequence[Curve], most: int = 12) -> list[list[str]]:
    """Some rates, and the loss of each curve there."""
    rates = sorted({rate for curve in curves for rate in curve.steps.tolist()})
    chosen = rates[:: max(1, len(rates) // most)]
    at = [dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True)) for curve in curves]
    return [[f"{rate:.4g}", *(f"{one[rate]:.5g}" if rate in one else "" for one in at)] for rate in chosen]
