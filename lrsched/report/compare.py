"""Compare fairly: on each workload every candidate at its own best learning rate, the best one against each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lrsched.config.walk import Flat
from lrsched.report.candidates import SEED, candidate, differing, identity, names, rate_key, workload
from lrsched.report.metric import Metric
from lrsched.report.pairs import Pair, pairs
from lrsched.report.rates import Candidate, Rate, best_rate, certainty
from lrsched.report.runs import RunRecord
from lrsched.units import unit_of


@dataclass(frozen=True)
class Comparison:
    """One workload: its candidates from best to worst, and the best against each other one.

    Args:
        name: short, made of what distinguishes it from the other workloads.
        workload: its part of the configs.
        metric: what is compared.
        candidates, pairs: the rows, and the first against the rest.
        repeated: runs left out because another one has the same config, each with the keys in which they differ.
        unread: runs whose config is unknown, which may belong here.
        units: of the metrics of its task, as ``{"accuracy": "%"}``.
    """

    name: str
    workload: Flat
    metric: Metric
    candidates: tuple[Candidate, ...]
    pairs: tuple[Pair, ...]
    repeated: tuple[tuple[RunRecord, tuple[str, ...]], ...] = ()
    unread: tuple[RunRecord, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict[str, str])

    def unit(self, name: str | None = None) -> str:
        """The unit of a metric, such as ``val/loss``; None: of the one compared."""
        return unit_of(self.metric.name if name is None else name, self.units)


def compare(runs: Sequence[RunRecord], metric: Metric) -> list[Comparison]:
    """One comparison for each workload among the runs; a run without a readable config belongs to none."""
    by_workload: dict[Any, list[RunRecord]] = {}
    for run in runs:
        if run.config:
            by_workload.setdefault(identity(workload(run.config)), []).append(run)
    groups = list(by_workload.values())
    parts = [workload(group[0].config) for group in groups]
    titles = names(parts, always=("model._target_", "dataset._target_"))
    unread = tuple(run for run in runs if not run.config and run.status != "failed")  # an invalid job leaves no gap
    found = [_one(name, part, group, metric) for name, part, group in zip(titles, parts, groups, strict=True)]
    return [replace(comparison, unread=unread) for comparison in found]


def _one(name: str, part: Flat, runs: Sequence[RunRecord], metric: Metric) -> Comparison:
    by_candidate: dict[Any, dict[Any, dict[Any, RunRecord]]] = {}
    repeated = []
    for run in sorted(runs, key=lambda run: not run.decided):  # a run with an outcome before one without
        rates = by_candidate.setdefault(identity(candidate(run.config)), {})
        seeds = rates.setdefault(run.config.get(rate_key(run.config)), {})
        first = seeds.setdefault(run.config.get(SEED), run)
        if first is not run:
            repeated.append((run, _differences(run.config, first.config)))
    cells = list(by_candidate.values())
    parts = [candidate(next(iter(next(iter(rates.values())).values())).config) for rates in cells]
    always = ("scheduler._target_",)
    rows = [
        _candidate(label, entries, rates, metric)
        for label, entries, rates in zip(names(parts, always), differing(parts, always), cells, strict=True)
    ]
    rows.sort(key=lambda row: (row.best is None, *metric.order(row.values.values()), row.name))
    units = {metric: unit for run in runs for metric, unit in run.units.items()}
    return Comparison(name, part, metric, tuple(rows), tuple(pairs(rows, metric)), tuple(repeated), units=units)


def _differences(one: Flat, other: Flat) -> tuple[str, ...]:
    """The keys in which two configs differ, except those that say where their runs lie."""
    keys = sorted({*one, *other} - {"name", "resume"})
    return tuple(key for key in keys if one.get(key) != other.get(key))


def _candidate(name: str, entries: Flat, cells: Mapping[Any, Mapping[Any, RunRecord]], metric: Metric) -> Candidate:
    asked = {seed for seeds in cells.values() for seed in seeds}
    rates = []
    for lr, seeds in sorted(cells.items(), key=lambda cell: (isinstance(cell[0], str), cell[0] or 0)):
        choosing, comparing = metric.outcomes(seeds, metric.chosen_by), metric.outcomes(seeds, metric.name)
        rates.append(Rate(lr, seeds, choosing, comparing, tuple(sorted(asked - set(choosing), key=str))))
    best = best_rate(rates, metric)
    return Candidate(name, entries, tuple(rates), best, certainty(rates, best, metric))
