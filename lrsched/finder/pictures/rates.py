"""Losses of runs over their rate, one panel a schedule: seeds, means, what was fitted, and the suggestion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrsched.finder.answer import Answer, Candidate
from lrsched.finder.curves import Floats
from lrsched.finder.fit import Fit
from lrsched.finder.losses import by_horizon
from lrsched.finder.predict import Bests, Interval, extrapolated
from lrsched.picture import as_png, panels
from lrsched.report.format import titled
from lrsched.report.pictures.style import logarithmic, look, words
from lrsched.units import count

ABOVE = 4.0
"""A panel ends at so many times the best loss of the worst horizon: what rises above it is a cliff."""

BESIDE = 1.25
"""Curves go on beyond the rates that were tried by this factor."""

UNKNOWN = 1e6
"""A predicted loss that may be so many times as much has no interval: one seed tells none."""

SEED = {"linestyle": "none", "marker": ".", "markersize": 4, "alpha": 0.55}
LENGTH = {"color": "black", "linestyle": (0, (5, 1.5)), "linewidth": 1.6}
"""Of the curve at the run's own length, where no run was made."""


@dataclass(frozen=True)
class Panel:
    """What a panel shows.

    Args:
        title: of the schedule.
        answer: its rate, and the runs.
        seeds: of the runs.
        predicted: by short runs, the loss at the run's length; None: one schedule alone, which nobody predicted.
    """

    title: str
    answer: Answer
    seeds: Sequence[int]
    predicted: Interval | None = None


def draw(shown: Sequence[Panel], metric: str, unit: str, file: str, *, less_is_better: bool = True) -> bytes:
    """Draw a panel for each schedule, over one axis of rates.

    Args:
        shown: the panels, from the top.
        metric: that judged the rates, and its unit.
        unit: empty where it has none.
        file: what the picture was asked for as, for the message.
        less_is_better: of the metric.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure, drawn = panels(file, 10, [3.6] * len(shown), margin=0.5)
    rates = [
        rate
        for each in shown
        for rate in (*each.answer.more.get("interval", ()), *(c.lr for c in each.answer.candidates))
    ]
    drawn[0].set_xscale("log")
    drawn[0].set_xlim(min(rates) / BESIDE, max(rates) * BESIDE)  # of all: they share it
    _ticks(drawn[0], few=max(rates) < 100 * min(rates))
    for panel, each in zip(drawn, shown, strict=True):
        _window(panel, each.answer, less_is_better)
        for number, steps in enumerate(sorted({c.horizon for c in each.answer.candidates})):
            _measured(panel, [c for c in each.answer.candidates if c.horizon == steps], steps, number)
        if each.answer.method == "horizon":
            _fitted(panel, each)
        _suggested(panel, each.answer)
        panel.set_title(words(each.title), fontsize=11)
        panel.set_ylabel(words(titled(metric, unit)).replace("\n", " ") + (" (fraction)" if unit == "%" else ""))
        panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    drawn[-1].set_xlabel("learning rate (optimizer.lr, log scale)")
    return as_png(figure)


def _ticks(panel: Any, *, few: bool) -> None:
    """Write rates as one types them: .1, .2, .5, 1 where there are few decades, and powers of ten alone elsewhere."""
    from matplotlib.ticker import LogLocator, NullFormatter

    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())


def _window(panel: Any, answer: Answer, less_is_better: bool) -> None:
    """Set the axis of the losses: no cliff may flatten the valley."""
    candidates = answer.candidates
    losses = np.array([c.loss for c in candidates])
    finite = losses[np.isfinite(losses)]
    low, high = float(finite.min()), float(finite.max())
    if less_is_better and low > 0:
        bests = [min(c.loss for c in candidates if c.horizon == steps) for steps in {c.horizon for c in candidates}]
        high = min(high, ABOVE * max(best for best in bests if np.isfinite(best)))
    if answer.method == "horizon" or logarithmic([low, high]):
        panel.set_yscale("log")
        panel.set_ylim(low / 1.3, high * 1.15)
    else:
        room = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
        panel.set_ylim(low - room, high + room)


def _measured(panel: Any, candidates: Sequence[Candidate], steps: int, number: int) -> None:
    """Seeds as dots and their mean as a line; at the upper edge a cross where a run diverged, an arrow beyond it."""
    style, high = look(number), panel.get_ylim()[1]
    rates = sorted({c.lr for c in candidates})
    each = [[c.loss for c in candidates if c.lr == rate] for rate in rates]
    means = np.array([np.mean(losses) if np.isfinite(losses).all() else np.nan for losses in each])
    panel.plot([c.lr for c in candidates], [c.loss for c in candidates], color=style["color"], **SEED)
    label = f"{count(steps, 'step')}, mean of {count(len(each[0]), 'seed')} (dots)"
    panel.plot(rates, means, color=style["color"], marker=style["marker"], markersize=4.5, linewidth=1.6, label=label)
    edge = {"transform": panel.get_xaxis_transform(), "color": style["color"], "linestyle": "none", "clip_on": False}
    height = 0.985 - 0.03 * number
    lost = [rate for rate, mean in zip(rates, means, strict=True) if np.isnan(mean)]
    beyond = [rate for rate, mean in zip(rates, means, strict=True) if mean > high]
    if lost:
        panel.plot(lost, [height] * len(lost), marker="x", label="a seed diverged", **edge)
    if beyond:
        panel.plot(beyond, [height] * len(beyond), marker="^", markersize=4, label="mean beyond the axis", **edge)


def _fitted(panel: Any, shown: Panel) -> None:
    """The fit at each horizon and, where no run was made, at the run's own length: medians of what is believed."""
    answer = shown.answer
    known, length = by_horizon(answer.candidates, shown.seeds), int(answer.more["horizon"])
    fit = Fit.of(known, answer.more["passes"])
    horizons = sorted({c.horizon for c in answer.candidates})
    for steps, least in fit.least.items():
        beside = np.log(BESIDE)
        x = np.linspace(known[steps].x.min() - beside, known[steps].x.max() + beside, 120)
        loss = _median(least[:, None] + fit.rises(steps, x))
        colour = look(horizons.index(steps))["color"]
        label = "fitted" if steps == max(fit.least) else None
        panel.plot(np.exp(x), loss, color=colour, linestyle="--", linewidth=1.0, alpha=0.8, label=label)
    end = shown.predicted
    if end is None:
        end = Interval(*np.exp(extrapolated(Bests.of(fit, answer.candidates, shown.seeds), length)).tolist())
    low, high = panel.get_xlim()
    x = np.linspace(np.log(low), np.log(high), 160)
    loss = _median(np.log(end.mean) + fit.rises(length, x, seen=False))
    panel.plot(np.exp(x), loss, label=f"{count(length, 'step')}, as predicted", **LENGTH)
    if end.high < UNKNOWN * end.mean:
        ends = [[end.mean - end.low], [end.high - end.mean]]
        rate, label = answer.suggestion, f"its loss: {end.mean:.3g}, 95 % {end.low:.3g} to {end.high:.3g}"
        panel.errorbar([rate], [end.mean], yerr=ends, color="black", marker="*", markersize=9, capsize=3, label=label)
    bottom, top = panel.get_ylim()
    panel.set_ylim(min(bottom, max(end.low, end.mean / 3) / 1.1), top)


def _median(values: Floats) -> Floats:
    """Of ln loss over explanations, as a loss."""
    return np.asarray(np.exp(np.median(values, axis=0)))


def _suggested(panel: Any, answer: Answer) -> None:
    """The rate; its interval as a band; of a grid, rates that the seeds do not tell from it."""
    if "interval" in answer.more:
        low, high = answer.more["interval"]
        panel.axvspan(low, high, color="black", alpha=0.08, linewidth=0, label=f"95 %: {low:.3g} to {high:.3g}")
    panel.axvline(answer.suggestion, color="black", linewidth=1, label=f"suggestion: {answer.suggestion:g}")
    if alike := list(answer.more.get("as_good", ())):
        means = [float(np.mean([c.loss for c in answer.candidates if c.lr == rate])) for rate in alike]
        ring = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black"}
        panel.plot(alike, means, linestyle="none", label="the seeds do not tell it from the best", **ring)
