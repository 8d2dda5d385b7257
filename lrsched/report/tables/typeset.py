"""The table of each workload, in the form that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from lrsched.report.columns import TableColumn, all_columns
from lrsched.report.compare import Comparison
from lrsched.report.format import titled, value
from lrsched.report.notes import notes
from lrsched.report.report import Report
from lrsched.report.tables.latex import latex
from lrsched.report.tables.markdown import markdown
from lrsched.report.tables.sheet import sheet
from lrsched.report.time_to_target import Race, scores
from lrsched.units import count

Typeset = Callable[[str, list[TableColumn], bool], str]

_TYPESET: Mapping[str, Typeset] = {"md": markdown, "latex": latex}

FORMS = (*_TYPESET, "csv")
"""What ``--table`` takes."""


def typeset(report: Report, form: str) -> str:
    """All tables of a report as text: one a workload, and in CSV a single one.

    Args:
        report: what to show; of a race, the steps to its target have a column.
        form: one of ``FORMS``.
    """
    if form == "csv":
        return sheet(report)
    several = len(report.comparisons) > 1
    made = []
    for number, comparison in enumerate(report.comparisons):
        race = report.races[number] if report.races else None
        columns = [column for column in all_columns(comparison) if column.title]
        marked = len(comparison.candidates) > 1 and comparison.candidates[0].finite
        name = comparison.name if several else ""
        made.append(_TYPESET[form](name, [*columns, *_race(report, comparison, race)], marked))
    return "\n".join(made)


def beside_table(report: Report) -> list[str]:
    """What must be known to read the tables, which say none of it: the notes, and how many runs did not finish."""
    found = [f"note: {note}" for comparison in report.comparisons for note in notes(comparison)]
    left = sum(not run.finished for run in report.runs)
    return [*found, *([f"note: {left} of {count(len(report.runs), 'run')} did not finish"] if left else [])]


def _race(report: Report, comparison: Comparison, race: Race | None) -> list[TableColumn]:
    """The steps of each candidate to the target, and its score over all workloads."""
    if race is None:
        return []
    metric, unit, by_name = comparison.metric, comparison.unit(), scores(report.races)
    way = "at most" if metric.mode == "min" else "at least"
    names = [row.name for row in comparison.candidates]
    title = titled(f"steps to {metric.name} {way} {value(unit, race.target)}", unit)
    steps = [race.steps[name] for name in names]
    shown = tuple(f"{taken:,.0f}" if math.isfinite(taken) else "never" for taken in steps)
    return [TableColumn(title, shown), TableColumn("score", tuple(f"{by_name[name]:.4f}" for name in names))]
