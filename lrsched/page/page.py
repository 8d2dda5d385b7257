"""The page of a report, from the same objects as its other forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import lrsched
from lrsched.page import beside, block, charts, drawn, found, rows
from lrsched.page.curves import MOST, Band, Curve, Files, Reader, band, names_of
from lrsched.page.script import script, script_hash, style
from lrsched.page.svg import swatch
from lrsched.report.baseline import missing_baseline
from lrsched.report.columns import TableColumn
from lrsched.report.compare import Comparison
from lrsched.report.folders import folders
from lrsched.report.format import brief
from lrsched.report.notes import how_chosen, notes, verdicts
from lrsched.report.rates import Candidate
from lrsched.report.report import Report
from lrsched.report.runs import count_ends
from lrsched.units import count

HERE = Path(__file__).parent
MANY = 200
"""Runs from which on the script gets fewer metrics of each."""

CROWD = 1000
"""Runs from which on it gets fewer points of each."""


@dataclass(frozen=True)
class Part:
    """A workload as the template shows it."""

    ident: str
    comparison: Comparison
    verdicts: Sequence[str]
    notes: Sequence[str]
    missing: tuple[str, str] | None
    chosen: str
    columns: Sequence[TableColumn]
    cells: Sequence[Sequence[rows.Cell]]
    figures: Sequence[drawn.Figure]
    keys: Sequence[str]
    differences: Sequence[Sequence[str]]
    looks: Sequence[tuple[str, Sequence[beside.Look]]]

    @property
    def number(self) -> int:
        """Of the workload, from 0."""
        return int(self.ident[1:])

    @property
    def heads(self) -> list[Any]:
        """The titles of the table of candidates."""
        return [(column.title, 1) if column.text else column.title for column in self.columns]

    @property
    def best(self) -> int | None:
        """The number of the best candidate; None where there is no other one, or all diverged."""
        rows = self.comparison.candidates
        return 0 if len(rows) > 1 and rows[0].finite else None

    @property
    def result(self) -> str:
        """The value of the only candidate, as the table has it."""
        name = self.comparison.metric.name
        place = next(place for place, column in enumerate(self.columns) if column.title.startswith(name))
        return f"{name} {self.cells[0][place].text}"


def page(report: Report, paths: Sequence[Path] = (), reader: Reader | None = None, live: int | None = None) -> str:
    """The whole page as text, all of it in one file.

    Args:
        report: what to show.
        paths: the folders that were asked for: what sweeps and finders wrote there is shown too.
        reader: where the curves come from; the runs' files by default.
        live: the number of this version of a page that asks its server for what has changed since.
    """
    listed = rows.runs(report)
    names, bands, curves = _curves(report, listed, reader or Files())
    axes = block.Axes()
    data = {"version": block.VERSION, "workloads": block.workloads(report, names, bands, axes)}
    runs = [block.run_of(row, curves[row.number], axes) for row in listed]
    places = folders(report.runs, paths)
    answers = beside.answers(places)
    parts = [_part(report, number, names[number], bands[number]) for number in range(len(report.comparisons))]
    look = (HERE / "page.css").read_text("utf-8") + style()
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=_title(report, paths),
            version=lrsched.__version__,
            policy=_policy(look, script(), asks=live is not None),
            style=look,
            script=script(),
            ends=_ends(report),
            report=report,
            parts=parts,
            rows=listed,
            unfinished=[
                (row, brief(row.run.reason), rows.so_far(row.run, report)) for row in listed if not row.run.finished
            ],
            same=rows.same(report),
            costs=beside.costs(places, report.runs),
            finds=found.finds(answers),
            rankings=found.rankings(answers),
            data=[
                block.block("lrs-data", {**data, "axes": axes.content}),
                block.block("lrs-runs", runs),
                *([] if live is None else [block.block("lrs-live", {"version": live})]),
            ],
            swatch=swatch,
        )
    )


def _curves(
    report: Report, listed: Sequence[rows.RunRow], reader: Reader
) -> tuple[list[list[str]], list[list[dict[str, Band]]], list[dict[str, Curve]]]:
    """The metrics drawn of each workload, the bands of each candidate, and the thin curves of each run."""
    most = 6 if len(listed) <= MANY else 4
    points = max(40, MOST * CROWD // max(CROWD, len(listed)))
    of = [[run for row in one.candidates for rate in row.rates for run in rate.runs.values()]
          for one in report.comparisons]  # fmt: skip
    names = [names_of(reader, runs, one, most) for runs, one in zip(of, report.comparisons, strict=True)]
    best = {id(run): (w, c) for w, one in enumerate(report.comparisons) for c, row in enumerate(one.candidates)
            for run in _drawn(row)}  # fmt: skip
    whole: dict[tuple[int, int], list[Mapping[str, Curve]]] = {}
    thin: list[dict[str, Curve]] = []
    for row in listed:
        curves = reader.curves(row.run, names[row.place.workload]) if row.place else {}
        curves = {name: curve.stairs() if name.startswith("lr/") else curve for name, curve in curves.items()}
        if id(row.run) in best:
            whole.setdefault(best[id(row.run)], []).append(curves)
        thin.append({name: curve.thin(points) for name, curve in curves.items()})
    bands = [
        [_bands(whole.get((w, c), ()), names[w]) for c in range(len(one.candidates))]
        for w, one in enumerate(report.comparisons)
    ]
    return names, bands, thin


def _drawn(row: Candidate) -> list[Any]:
    """The runs of a candidate that its band is made of: at its best rate, or else where one came furthest."""
    rate = row.best or max(row.rates, key=lambda rate: max(run.step or 0 for run in rate.runs.values()), default=None)
    runs = list(rate.runs.values()) if rate else []
    return [run for run in runs if run.finished] or runs


def _bands(curves: Sequence[Mapping[str, Curve]], names: Sequence[str]) -> dict[str, Band]:
    made = {name: band([one[name] for one in curves if name in one]) for name in names}
    return {name: one.thin() for name, one in made.items() if one is not None}


def _part(report: Report, number: int, names: Sequence[str], bands: Sequence[Mapping[str, Band]]) -> Part:
    comparison, ident = report.comparisons[number], f"w{number}"
    columns, cells = rows.candidates(comparison)
    metrics = [name for name in names if not name.startswith("lr/")]
    figures = [
        drawn.curves(f"{ident}-curves", comparison, bands, [comparison.metric.chosen_by, *metrics]),
        drawn.curves(f"{ident}-train", comparison, bands, ["train/loss"]) if "train/loss" in metrics else None,
        charts.rates(f"{ident}-rates", comparison),
        charts.pairs(f"{ident}-pairs", comparison),
        *(
            charts.target(f"{ident}-target", comparison, race)
            for race in report.races
            if race.workload == comparison.name
        ),
    ]
    looks = [
        (row.name, beside.shown(run)) for row in comparison.candidates[: beside.PICTURES] for run in _drawn(row)[:1]
    ]
    return Part(
        ident,
        comparison,
        verdicts(comparison),
        notes(comparison),
        missing_baseline(comparison),
        how_chosen(comparison),
        columns,
        cells,
        [figure for figure in figures if figure],
        *rows.differences(comparison),
        [(name, look) for name, look in looks if look],
    )


def _title(report: Report, paths: Sequence[Path]) -> str:
    names = list(dict.fromkeys(path.resolve().name for path in paths)) or ["runs"]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _ends(report: Report) -> str:
    ends = ", ".join(f"{number} {end}" for end, number in count_ends(report.runs).most_common())
    return f"{count(len(report.runs), 'run')}: {ends}" if ends else ""


def _policy(style: str, script: str, *, asks: bool) -> str:
    """What the page may do: run its own script, use its own style, show its pictures; a live one asks its server."""
    asking = "connect-src 'self'; " if asks else ""
    return (
        f"default-src 'none'; script-src '{script_hash(script)}'; style-src '{script_hash(style)}'; "
        f"img-src data:; {asking}base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["own"] = Markup  # files of the package's own: what the script and the style are
    return made
