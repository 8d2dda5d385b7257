"""The comparison in a terminal: a table, what may be concluded from it, and what is missing."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrsched.report.compare import Comparison
from lrsched.report.notes import notes
from lrsched.report.pairs import Pair
from lrsched.report.rates import Candidate, mean, spread
from lrsched.report.runs import ends
from lrsched.report.shown import amount, count, interval, p_value, seeds, value
from lrsched.report.study import Study
from lrsched.report.target import scores
from lrsched.report.verdict import verdict

UNLIMITED = 10_000
"""Columns of what is not a terminal: a file has no edge at which a line must end."""

RULED: dict[str, Any] = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False, "show_edge": False}

ROOMY = 80
"""Columns from which on numbers are kept in one piece."""

WORSE = "worse by (95 %)"
MOST_RATES = 10
MOST_LISTED = 12

WORK = ("dataset.batch_size", "trainer.accumulate")
"""What a step costs: where it differs, counting steps is not fair."""

BESIDE = ("test/accuracy", "test/loss", "val/accuracy", "val/loss")
"""What is shown beside the metric that is compared: the first of these that there is."""


def render(study: Study, width: int | None = None, colour: bool = False) -> str:
    """The whole report as text.

    Args:
        study: what was found and compared.
        width: of the terminal in columns, None where there is none.
        colour: whether to mark the best in colour.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or UNLIMITED,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
    )
    found = ends(study.runs)
    console.print(f"{count(len(study.runs), 'run')}: {', '.join(f'{n} {end}' for end, n in found.most_common())}")
    for comparison in study.comparisons:
        _comparison(console, comparison)
    if study.races:
        _race(console, study)
    _incomplete(console, study)
    lines = out.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _comparison(console: Console, comparison: Comparison) -> None:
    metric = comparison.metric
    console.print()
    console.print(Text(comparison.name, style="bold"))
    console.print(_table(comparison, roomy=console.width >= ROOMY))
    console.print()
    if any(len(row.rates) > 1 for row in comparison.candidates):
        _rates(console, comparison)
    how = f"Each at its best learning rate, that of the best mean {metric.chosen_by} over its seeds."
    if metric.chosen_by == metric.name:
        how += " Chosen and compared by one number, the best looks a little better than it is."
    _paragraphs(console, [f"{how} P(win): of the best one against this one, seed against seed."])
    console.print()
    _paragraphs(console, [verdict(pair, metric.name).text for pair in comparison.pairs])
    _paragraphs(console, [f"note: {note}" for note in notes(comparison)])


def _table(comparison: Comparison, *, roomy: bool) -> Table:
    """A row a candidate; where there is room, only names and intervals are broken into lines."""
    metric, rows = comparison.metric, comparison.candidates
    beside = _beside(comparison)
    table = Table(**RULED)
    table.add_column("", no_wrap=True)
    table.add_column("schedule", overflow="fold")
    for title in ("lr", f"{metric.name} ± sd", "seeds", *beside, WORSE, "p", "P(win)"):
        table.add_column(title, justify="right", overflow="fold", no_wrap=roomy and title not in ("seeds", WORSE))
    pairs = {pair.other: pair for pair in comparison.pairs}
    for number, row in enumerate(rows):
        best = number == 0 and row.best is not None
        cells = [
            "*" if best else "",
            row.name,
            str(row.best.lr) if row.best else "–",
            _measured(metric.name, row.values.values()),
        ]
        cells += [seeds(row.values)]
        cells += [_measured(name, _others(row, name)) for name in beside]
        cells += _against(pairs.get(row.name), metric.name)
        table.add_row(*cells, style="bold green" if best else None)
    return table


def _beside(comparison: Comparison) -> list[str]:
    there = {
        name for row in comparison.candidates if row.best for run in row.best.runs.values() for name in run.metrics
    }
    return [name for name in BESIDE if name != comparison.metric.name and name in there][:1]


def _others(row: Candidate, name: str) -> list[float]:
    """Another metric of the runs at the chosen rate."""
    found = [run.metrics.get(name) for run in row.best.runs.values() if run.finished] if row.best else []
    return [value for value in found if value is not None]


def _measured(metric: str, values: Iterable[float]) -> str:
    known = list(values)
    lost = sum(not math.isfinite(item) for item in known)
    if lost:
        return f"{lost} of {len(known)} diverged"
    around = spread(known)
    shown = value(metric, mean(known))
    if around is None:
        return shown
    return f"{shown.rstrip('%')} ± {value(metric, around)}"


def _against(pair: Pair | None, metric: str) -> list[str]:
    if pair is None:
        return ["", "", ""]
    probability = "–" if pair.probability is None else f"{pair.probability:.0%}"
    if pair.mean is None or pair.interval is None:
        return [amount(metric, pair.mean), "–", probability]
    worse = f"{amount(metric, pair.mean).removesuffix(' points')} ({interval(metric, pair.interval)})"
    return [worse, p_value(pair.p), probability]


def _rates(console: Console, comparison: Comparison) -> None:
    """Mean of each candidate at each rate, the chosen one marked."""
    tried = list(dict.fromkeys(rate.lr for row in comparison.candidates for rate in row.rates))
    if len(tried) > MOST_RATES:
        return
    name = comparison.metric.chosen_by
    table = Table(**RULED)
    table.add_column(f"mean {name} at lr", overflow="fold")
    ordered = sorted(tried, key=lambda lr: (isinstance(lr, str), lr or 0))
    for lr in ordered:
        table.add_column(str(lr), justify="right", overflow="fold")
    for row in comparison.candidates:
        at = {rate.lr: rate for rate in row.rates}
        cells = []
        for lr in ordered:
            rate = at.get(lr)
            text = value(name, mean(rate.choosing.values())) if rate else ""
            cells.append(f"{text}*" if rate is row.best and rate else f"{text} ")
        table.add_row(row.name, *cells)
    console.print(table)
    console.print()


def _race(console: Console, study: Study) -> None:
    """Steps to the target, and AlgoPerf's score."""
    way = "at most" if study.metric.mode == "min" else "at least"
    table = Table(**RULED)
    table.add_column("steps to target", overflow="fold")
    for race in study.races:
        goal = f"{study.metric.name} {way} {value(study.metric.name, race.target)}"
        table.add_column(f"{race.workload}: {goal}", justify="right", overflow="fold")
    table.add_column("score", justify="right")
    for name, score in scores(study.races).items():
        times = [race.steps.get(name, math.inf) for race in study.races]
        table.add_row(name, *(f"{time:,.0f}" if math.isfinite(time) else "never" for time in times), f"{score:.4f}")
    console.print()
    console.print(table)
    told = [
        "Median over the seeds of the fastest rate's steps. Score: mean of clip((4 − r)/3, 0, 1), r = steps / fewest."
    ]
    if any(key in row.entries for one in study.comparisons for row in one.candidates for key in WORK):
        told.append("note: batches are of different sizes, and so a step is not the same work for all")
    _paragraphs(console, told)


def _incomplete(console: Console, study: Study) -> None:
    """What did not finish, with its reason."""
    left = [run for run in study.runs if not run.finished]
    if not left:
        return
    console.print()
    _paragraphs(console, [f"{len(left)} of {count(len(study.runs), 'run')} did not finish:"])
    _paragraphs(console, [f"  {run.end}  {run.path}  {_one_line(run.reason)}" for run in left[:MOST_LISTED]])
    if len(left) > MOST_LISTED:
        _paragraphs(console, [f"  and {len(left) - MOST_LISTED} more; --json FILE lists them all"])


def _one_line(reason: str) -> str:
    """Without line ends, and without what a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in reason).split())


def _paragraphs(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, overflow="fold")
