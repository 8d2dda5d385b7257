"""A report in a terminal: tables, what may be concluded from them, and what is missing."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from lrsched.report.baseline import missing_baseline
from lrsched.report.columns import WINS, TableColumn, all_fit, columns_that_fit, others, split, table
from lrsched.report.compare import Comparison
from lrsched.report.format import brief, titled, value
from lrsched.report.notes import how_chosen, notes, verdicts
from lrsched.report.rates import mean
from lrsched.report.report import Report
from lrsched.report.runs import RunRecord, count_ends
from lrsched.report.time_to_target import scores
from lrsched.units import count, shown, unit_of

UNLIMITED = 10_000
"""Columns where there is no terminal: lines in a file need not end."""

MOST_RATES = 10
MOST_LISTED = 12

WORK = ("dataset.batch_size", "trainer.accumulate")
"""What a step costs: where these differ, counting steps is not fair."""


def render(report: Report, width: int | None = None, colour: bool = False) -> str:
    """The whole report as text.

    Args:
        report: what to show.
        width: of the terminal in columns; None for a file.
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
    found = count_ends(report.runs)
    ends = ", ".join(f"{number} {end}" for end, number in found.most_common())
    console.print(
        f"{count(len(report.runs), 'run')}: {ends}" if ends else "no run; --html F shows what a finder answered"
    )
    for comparison in report.comparisons:
        _comparison(console, comparison)
    if report.races:
        _race(console, report)
    _unfinished(console, report)
    lines = out.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _comparison(console: Console, comparison: Comparison) -> None:
    several = len(comparison.candidates) > 1
    console.print()
    console.print(Text(comparison.name, style="bold"))
    marked = 0 if several and comparison.candidates[0].finite else None
    columns = columns_that_fit(comparison, console.width)
    console.print(table(columns, console.width, marked))
    console.print()
    beside = [] if all_fit(comparison, columns) else others(comparison, console.width)
    if beside:
        console.print(table(beside, console.width, marked))
        console.print()
    if any(len(row.rates) > 1 for row in comparison.candidates):
        _rates(console, comparison)
    chosen = how_chosen(comparison)
    if any(column.title == WINS for column in columns):
        chosen += f" {WINS}: the best one against this one, seed against seed."
    _paragraphs(console, [chosen])
    console.print()
    _paragraphs(console, verdicts(comparison))
    _paragraphs(console, [f"note: {note}" for note in notes(comparison)])
    if (missing := missing_baseline(comparison)) is not None:
        words, command = missing
        _paragraphs(console, [f"note: {words}", *([f"  {command}"] if command else [])])


def _rates(console: Console, comparison: Comparison) -> None:
    """The mean of each candidate at each rate, the chosen one marked."""
    tried = list(dict.fromkeys(rate.lr for row in comparison.candidates for rate in row.rates))
    if len(tried) > MOST_RATES:
        return
    name, rows = comparison.metric.chosen_by, comparison.candidates
    unit = comparison.unit(name)
    first = TableColumn(titled(f"mean {name} at lr", unit), tuple(row.name for row in rows), text=True)
    at = [{rate.lr: rate for rate in row.rates} for row in rows]
    rest = []
    for lr in sorted(tried, key=lambda lr: (isinstance(lr, str), lr or 0)):
        cells = []
        for row, rates in zip(rows, at, strict=True):
            text = value(unit, mean(rates[lr].choosing.values())) if lr in rates else ""
            cells.append(f"{text}*" if row.best is not None and rates.get(lr) is row.best else f"{text} ")
        rest.append(TableColumn(str(lr), tuple(cells)))
    for columns in split(first, rest, console.width):
        console.print(table(columns, console.width))
        console.print()


def _race(console: Console, report: Report) -> None:
    """Steps to the target, and AlgoPerf's score."""
    way = "at most" if report.metric.mode == "min" else "at least"
    by_name = scores(report.races)
    columns = [TableColumn("steps to target", tuple(by_name), text=True)]
    for race, comparison in zip(report.races, report.comparisons, strict=True):
        unit = comparison.unit()
        title = titled(f"{race.workload}: {report.metric.name} {way} {value(unit, race.target)}", unit)
        steps = [race.steps.get(name, math.inf) for name in by_name]
        columns.append(TableColumn(title, tuple(f"{n:,.0f}" if math.isfinite(n) else "never" for n in steps)))
    columns.append(TableColumn("score", tuple(f"{score:.4f}" for score in by_name.values())))
    console.print()
    console.print(table(columns, console.width))
    lines = [
        "Median over the seeds of the fastest rate's steps. Score: mean of clip((4 − r)/3, 0, 1), r = steps / fewest."
    ]
    if any(key in row.entries for one in report.comparisons for row in one.candidates for key in WORK):
        lines.append("note: batch sizes differ, so a step is not the same work for all")
    _paragraphs(console, lines)


def _unfinished(console: Console, report: Report) -> None:
    """The runs that did not finish, with their reasons."""
    left = [run for run in report.runs if not run.finished]
    if not left:
        return
    console.print()
    _paragraphs(console, [f"{len(left)} of {count(len(report.runs), 'run')} did not finish:"])
    _paragraphs(console, [f"  {run.end}  {run.path}  {_so_far(run, report)}" for run in left[:MOST_LISTED]])
    if len(left) > MOST_LISTED:
        _paragraphs(console, [f"  and {len(left) - MOST_LISTED} more; --json FILE lists them all"])


def _so_far(run: RunRecord, report: Report) -> str:
    """Why a run did not finish, and what it had reached."""
    name = report.metric.chosen_by
    number = run.metrics.get(name)
    if number is None or not math.isfinite(number):
        return brief(run.reason)
    return f"{brief(run.reason)}: {name} {shown(unit_of(name, run.units), number)} at its last evaluation"


def _paragraphs(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, overflow="fold")
