"""A report as numbers for other tools: what ``--json`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrsched.numbers import finite
from lrsched.report.compare import Comparison
from lrsched.report.notes import notes
from lrsched.report.pairs import Pair
from lrsched.report.rates import Candidate, Rate, mean, spread
from lrsched.report.report import Report
from lrsched.report.runs import RunRecord, count_ends
from lrsched.report.time_to_target import scores
from lrsched.report.verdict import verdict


def numbers(report: Report) -> dict[str, Any]:
    """Everything that a report shows, and what it rests on. A run that diverged has None for a number.

    ``pairs`` compare the best candidate with each other one; ``difference`` is how much better the best is.
    """
    metric = report.metric
    content: dict[str, Any] = {
        "metric": metric.name,
        "mode": metric.mode,
        "rates_chosen_by": metric.chosen_by,
        "runs": len(report.runs),
        "ends": dict(sorted(count_ends(report.runs).items())),
        "workloads": [_workload(comparison) for comparison in report.comparisons],
        "not_finished": [_unfinished(run) for run in report.runs if not run.finished],
    }
    if report.races:
        content["races"] = [
            {"workload": race.workload, "target": race.target, "steps": race.steps} for race in report.races
        ]
        content["scores"] = scores(report.races)
    return finite(content)


def _workload(comparison: Comparison) -> dict[str, Any]:
    return {
        "name": comparison.name,
        "unit": comparison.unit(),
        "units": dict(comparison.units),
        "config": dict(comparison.workload),
        "candidates": [_candidate(row) for row in comparison.candidates],
        "pairs": [_pair(pair, comparison.unit()) for pair in comparison.pairs],
        "notes": notes(comparison),
    }


def _candidate(row: Candidate) -> dict[str, Any]:
    return {
        "name": row.name,
        "config": dict(row.entries),
        "lr": row.best.lr if row.best else None,
        "edge": row.edge or None,
        "chosen_again": row.sure,
        "mean": row.mean,
        "sd": spread(row.values.values()),
        "values": _by_seed(row.values),
        "metrics": {name: _final(row, name) for name in sorted(row.metrics)},
        "rates": [_rate(rate) for rate in row.rates],
    }


def _final(row: Candidate, name: str) -> dict[str, Any]:
    values = row.finals(name)
    known = [value for value in values.values() if value is not None]
    return {"mean": mean(known), "sd": spread(known), "values": _by_seed(values)}


def _by_seed(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(seed): value for seed, value in values.items()}


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "lr": rate.lr,
        "mean": mean(rate.choosing.values()),
        "sd": spread(rate.choosing.values()),
        "values": _by_seed(rate.choosing),
        "diverged": rate.diverged,
        "lacking": list(rate.lacking),
        "runs": {str(seed): str(run.path) for seed, run in rate.runs.items()},
    }


def _pair(pair: Pair, unit: str) -> dict[str, Any]:
    found = verdict(pair, unit)
    return {
        "best": pair.best,
        "other": pair.other,
        "seeds": pair.seeds,
        "difference": pair.mean,
        "differences": list(pair.differences),
        "interval": list(pair.interval) if pair.interval else None,
        "level": pair.level,
        "p": pair.p,
        "p_holm": pair.p_holm,
        "comparisons": pair.comparisons,
        "probability": pair.probability,
        "verdict": found.kind,
        "more_seeds": found.more_seeds,
        "text": found.text,
    }


def _unfinished(run: RunRecord) -> dict[str, Any]:
    known = {"path": str(run.path), "status": run.end, "reason": run.reason, "step": run.step}
    return {**known, "metrics": dict(run.metrics)} if run.metrics else known
