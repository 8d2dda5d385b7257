"""The rate over the steps, above the losses over the steps: each candidate at its best rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrsched.picture import as_png, panels
from lrsched.report.compare import Comparison
from lrsched.report.pictures.style import band, labelled, legend, logarithmic, together, words
from lrsched.report.rates import Candidate
from lrsched.report.runs import RunRecord
from lrsched.report.stats import Floats
from lrsched.units import count

TRAIN, RATE = "train/loss", "learning rate"

Row = Mapping[str, Any]
Curves = dict[int, tuple[Floats, Floats]]
"""By the candidate's place: steps, and values[run, step]."""


def draw_courses(comparison: Comparison, folder: str) -> bytes:
    """A panel of the rates, one of the training loss where runs log it, one of the metric that chose the rates."""
    rows = [_rows(candidate) for candidate in comparison.candidates]
    rates = _curves(rows, _rate)
    train, chosen = (
        _curves(rows, lambda row, name=name: row.get(name)) for name in (TRAIN, comparison.metric.chosen_by)
    )
    shown: list[tuple[str, Curves]] = [("learning rate", rates)] if rates else []
    if train and comparison.metric.chosen_by != TRAIN:
        shown.append((labelled(comparison, TRAIN), train))
    shown.append((labelled(comparison, comparison.metric.chosen_by), chosen))
    heights = [2.0 if label == "learning rate" else 2.8 for label, _ in shown]
    figure, drawn = panels(folder, 9, heights, margin=0.5 + 0.18 * min(len(rows), 11))
    entries: dict[int, Any] = {}
    for panel, (label, curves) in zip(drawn, shown, strict=True):
        for number, (steps, values) in curves.items():
            entries[number] = band(panel, steps, values, number)
        every = [
            values.max(axis=1).tolist() if label == "learning rate" else values.ravel() for _, values in curves.values()
        ]
        if logarithmic(float(value) for values in every for value in values):
            panel.set_yscale("log")
        panel.set_ylabel(label)
    drawn[-1].set_xlabel("step")
    drawn[0].set_title(words(f"{comparison.name}: each at its best rate, mean and range of its seeds"), fontsize=11)
    legend(figure, [(entries[n], _named(comparison.candidates[n], len(rows[n]))) for n in sorted(entries)])
    return as_png(figure)


def _rows(candidate: Candidate) -> list[list[Row]]:
    """The rows of each run that finished at the best rate."""
    runs: list[RunRecord] = [run for run in candidate.best.runs.values() if run.finished] if candidate.best else []
    return [list(run.rows()) for run in runs]


def _curves(rows: Sequence[Sequence[Sequence[Row]]], value: Callable[[Row], float | None]) -> Curves:
    """A value over the steps at which every run with it has it, of the candidates that have any."""
    found: Curves = {}
    for number, runs in enumerate(rows):
        tables = [{row["step"]: known for row in run if (known := value(row)) is not None} for run in runs]
        steps, values = together(tables)
        if len(steps):
            found[number] = steps, values
    return found


def _rate(row: Row) -> float | None:
    """The rate of the group that comes first."""
    return row.get("lr/default", next((value for name, value in row.items() if name.startswith("lr/")), None))


def _named(candidate: Candidate, seeds: int) -> str:
    rate = candidate.best.lr if candidate.best else ""
    return f"{candidate.name}, lr {rate} ({count(seeds, 'seed')})"
